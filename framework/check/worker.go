package check

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	ginkgotypes "github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/progress"
	"aiv.internal/conformance/framework/throwaway"
	"aiv.internal/conformance/framework/verdict"
)

const (
	connectTimeout = 20 * time.Second
	// cleanupTimeout is shorter than the grace period that the launcher has Ginkgo give.
	cleanupTimeout = 60 * time.Second
)

// CustomSubsection holds the customer's own checks, which come from the answers file.
const CustomSubsection = "N.2"

// CleanupID stands for the run's own duty to leave nothing behind, in the place of an
// item's ID.
const CleanupID = "cleanup"

// Work is one of Ginkgo's parallel workers: it runs the checks that Ginkgo hands it and
// sends their results to the launcher. The worker's exit code is returned.
func Work() int {
	testing.Init()
	flag.Parse()
	if err := open(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return verdict.ExitUsage
	}
	ginkgo.SynchronizedBeforeSuite(connect, join)
	ginkgo.SynchronizedAfterSuite(leaveVolumes, leaveNothing, ginkgo.NodeTimeout(cleanupTimeout+10*time.Second))
	ginkgo.ReportAfterEach(reportSpec)
	gomega.RegisterFailHandler(failedAssertion)
	if !ginkgo.RunSpecs(failer{}, "conformance") {
		return verdict.ExitNotMet
	}
	return verdict.ExitMet
}

// failer is all of testing.T that Ginkgo asks for.
type failer struct{}

func (failer) Fail() {}

// open loads what the launcher has already validated once.
func open() (err error) {
	if session.config, err = configFromEnvironment(); err != nil {
		return err
	}
	if session.sender, err = progress.Dial(session.config.Socket); err != nil {
		return err
	}
	if session.catalogue, err = checklist.Load(); err != nil {
		return err
	}
	if session.answers, err = answers.Load(session.config.Answers); err != nil {
		return err
	}
	session.catalogue = session.catalogue.With(CustomSubsection, session.answers.CustomItems())
	go endWithLauncher(session.sender)
	return nil
}

// endWithLauncher interrupts this worker when its launcher is no more: nobody would hear its
// results, and its objects are to be removed all the same.
func endWithLauncher(sender *progress.Sender) {
	<-sender.Lost()
	syscall.Kill(os.Getpid(), syscall.SIGTERM)
}

// connect runs in the first worker only: it finds out once what all others rely on.
func connect(ctx ginkgo.SpecContext) []byte {
	within, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	found, run := probeEnvironment(within)
	session.sender.Send(progress.Event{Run: &run})
	text, err := json.Marshal(found)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return text
}

func probeEnvironment(ctx context.Context) (facts, progress.Run) {
	var found facts
	run := progress.Run{Namespace: session.config.Namespace}
	if err := loadClientConfig(); err != nil {
		found.Unreachable = unreachable(err)
		return found, run
	}
	run.Server = session.rest.Host
	target, err := targetFor("run")
	if err != nil {
		found.Unreachable = unreachable(err)
		return found, run
	}
	self, err := target.Client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		found.Unreachable = unreachable(err)
		return found, run
	}
	run.User = self.Status.UserInfo.Username
	if version, err := target.Client.Discovery().ServerVersion(); err == nil {
		run.Kubernetes = version.GitVersion
	}
	if session.config.ReadOnly {
		return found, run
	}
	client, err := clientFor("run")
	if err != nil {
		found.Unreachable = unreachable(err)
		return found, run
	}
	begun, err := throwaway.Begin(ctx, client, throwawaySettings())
	if err != nil {
		found.NoThrowaways = withoutLease(err)
		return found, run
	}
	session.run, run.Leased = begun, true
	found.LeaseUID = string(begun.Lease())
	return found, run
}

// join runs in every worker.
func join(_ ginkgo.SpecContext, text []byte) {
	gomega.Expect(json.Unmarshal(text, &session.facts)).To(gomega.Succeed())
	if session.facts.Unreachable != nil {
		return
	}
	if session.rest == nil {
		gomega.Expect(loadClientConfig()).To(gomega.Succeed())
	}
	if session.run == nil && session.facts.LeaseUID != "" {
		client, err := clientFor("run")
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		session.run = throwaway.Join(client, throwawaySettings(), types.UID(session.facts.LeaseUID))
	}
}

// leaveVolumes runs in every worker: each knows the volumes behind its own claims.
func leaveVolumes(ctx ginkgo.SpecContext) {
	if session.run == nil {
		return
	}
	within, cancel := pastInterrupt(ctx)
	defer cancel()
	if err := session.run.Leave(within); err != nil {
		sendCleanup(verdict.Result{Started: time.Now()}, err)
	}
}

// leaveNothing runs in the first worker after all others are done. Whether everything is
// gone is a result of its own.
func leaveNothing(ctx ginkgo.SpecContext) {
	if session.run == nil {
		return
	}
	result := verdict.Result{Verdict: verdict.Passed, Started: time.Now()}
	if session.config.Keep {
		result.Verdict = verdict.Waived
		result.Reason = "--keep left them behind; remove them with: runner cleanup --run " + session.config.RunID
		sendCleanup(result, nil)
		return
	}
	within, cancel := pastInterrupt(ctx)
	defer cancel()
	err := session.run.End(within)
	result.Seconds = time.Since(result.Started).Seconds()
	sendCleanup(result, err)
}

// reportSpec sends the result of the item that a spec belongs to. One that never began, and
// was only skipped, is the launcher's to account for: it knows why the run ended.
func reportSpec(report ginkgo.SpecReport) {
	if !report.LeafNodeType.Is(ginkgotypes.NodeTypeIt) {
		return
	}
	item, known := session.catalogue.Item(labelled(report.Labels()))
	r := current
	current = &record{}
	if !known {
		return
	}
	if r.item.ID != item.ID {
		if report.State.Is(ginkgotypes.SpecStateSkipped) {
			return
		}
		r = &record{item: item, place: registry.places[item.ID]}
	}
	result := r.result(report)
	if err := session.sender.Send(progress.Event{Result: &result}); err != nil {
		fmt.Fprintln(os.Stderr, "the launcher is gone:", err)
	}
}

// labelled returns the ID among a spec's labels.
func labelled(labels []string) string {
	for _, label := range labels {
		if id, found := strings.CutPrefix(label, idLabel); found {
			return id
		}
	}
	return ""
}

// pastInterrupt returns a context for cleaning up: a signal that ends the checks must not end
// what removes their objects. Ginkgo waits that long, and ends it on a second signal.
func pastInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
}

// sendCleanupFailure reports an object that its check could not remove: the run's problem,
// not the item's.
func sendCleanupFailure(id string, err error) {
	sendCleanup(verdict.Result{Started: time.Now()}, fmt.Errorf("item %s: %w", id, err))
}

// sendCleanup reports on the run's duty to leave nothing behind.
func sendCleanup(result verdict.Result, err error) {
	result.ID = CleanupID
	if err != nil {
		result.Finding = cleanupFinding(err)
		result.Verdict = verdict.Failed
		if result.Finding.Undecided {
			result.Verdict = verdict.Undecided
		}
	}
	session.sender.Send(progress.Event{Result: &result})
}

func loadClientConfig() error {
	config, err := session.config.ClientConfig().ClientConfig()
	if err != nil {
		return err
	}
	config.QPS = clientQPS / float32(max(session.config.Workers, 1))
	config.Burst = max(clientBurst/max(session.config.Workers, 1), 10)
	for _, secret := range []string{config.BearerToken, config.Password, string(config.KeyData)} {
		session.redactor.Add(secret)
	}
	session.rest = config
	return nil
}

func throwawaySettings() throwaway.Settings {
	runner := session.answers.Runner
	return throwaway.Settings{
		Namespace:     session.config.Namespace,
		RunID:         session.config.RunID,
		Version:       session.config.Version,
		Image:         session.config.Image,
		PullSecrets:   runner.PullSecrets,
		NodeSelector:  runner.NodeSelector,
		Tolerations:   runner.Tolerations,
		PriorityClass: runner.PriorityClass,
		Keep:          session.config.Keep,
		ReadOnly:      session.config.ReadOnly,
		MaxAge:        session.config.Timeout + 5*time.Minute,

		RetainedVolumes: runner.RetainedVolumes != nil && *runner.RetainedVolumes,
	}
}

func unreachable(err error) *finding.Finding {
	found := err.Error()
	if urlError := (*url.Error)(nil); errors.As(err, &urlError) {
		found = urlError.Err.Error()
	}
	return finding.NotDecided("a cluster to measure", session.redactor.String(found),
		"the cluster cannot be reached with these credentials", "see item 1.1.1")
}

func withoutLease(err error) *finding.Finding {
	f := finding.As(err)
	if f == nil {
		f = kubeerr.FromAPI(err, "create the run's Lease")
	}
	return finding.NotDecided("throwaway objects in namespace "+session.config.Namespace, f.Found,
		"nothing can be created there", "see items 1.1.4 and 1.1.5; "+f.Do)
}

func cleanupFinding(err error) *finding.Finding {
	if f := finding.As(err); f != nil {
		return redactFinding(*f)
	}
	return finding.Failed("every throwaway object of the run is gone", session.redactor.String(err.Error()),
		"the API server refused a deletion, or a finalizer holds an object", "run: runner cleanup --run "+session.config.RunID)
}
