package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/progress"
	"aiv.internal/conformance/framework/redact"
	"aiv.internal/conformance/framework/throwaway"
)

// Requests per second, and in a burst, that all workers together may ask of the API
// server: as much as five kubectl users, and its own fairness holds beside them.
const (
	clientQPS   = 240
	clientBurst = 480
)

// session is the worker's view of the run. Ginkgo's tree is global, so this is too; it is
// set once, before the tree is built.
var session = struct {
	config     Config
	everything bool
	catalogue  *checklist.Catalogue
	answers    *answers.File
	redactor   *redact.Redactor
	sender     *progress.Sender
	facts      facts
	rest       *rest.Config
	run        *throwaway.Run
}{redactor: redact.New(), answers: &answers.File{}}

// facts is what the first worker found and all of them share.
type facts struct {
	// Unreachable says why there is no cluster to check.
	Unreachable *finding.Finding `json:"unreachable,omitempty"`
	// NoThrowaways says why nothing can be created in the namespace.
	NoThrowaways *finding.Finding `json:"noThrowaways,omitempty"`
	LeaseUID     string           `json:"leaseUID,omitempty"`
}

// Target is the cluster under test, as the running check sees it.
type Target struct {
	Config    *rest.Config
	Client    kubernetes.Interface
	Dynamic   dynamic.Interface
	Namespace string
}

// Cluster returns clients whose requests carry the running item's ID in their user agent,
// so that the cluster's audit log tells which check asked. It ends the check as undecided
// where there is no cluster.
func Cluster() Target {
	if session.facts.Unreachable != nil {
		end(session.facts.Unreachable, 1)
	}
	target, err := targetFor(current.item.ID)
	NoError(err, "make a client")
	return target
}

// ReadOnly tells whether the run may create nothing. Server-side dry runs are allowed.
func ReadOnly() bool { return session.config.ReadOnly }

// Settings returns the run's settings.
func Settings() Config { return session.config }

// Wanted tells whether the run checks one of the items: what only they need is made for them.
func Wanted(ids ...string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return session.config.Selected[id] })
}

// Answers returns the whole answers file, for checks that hold one section against another.
func Answers() *answers.File { return session.answers }

// Secret resolves a reference of the answers file and keeps its value out of every report.
func Secret(ctx context.Context, reference answers.Secret) string {
	value, err := reference.Resolve(ctx, secretReader{})
	if err != nil {
		end(finding.NotDecided("a secret that can be read", err.Error(),
			"the reference names nothing that is there for the runner", "set the variable, file or Secret that the answers file names"), 1)
	}
	session.redactor.Add(value)
	return value
}

// Redact hides every secret known so far; for text that goes elsewhere than to a report.
func Redact(text string) string { return session.redactor.String(text) }

// Throwaways returns the maker of objects for the running item; each is removed when the
// check ends. It ends the check as undecided where nothing can be created.
func Throwaways() *throwaway.Kit {
	kit, err := kitFor(current.item.ID)
	if err != nil {
		end(finding.As(err), 1)
	}
	return kit
}

func targetFor(id string) (Target, error) {
	client, err := clientFor(id)
	if err != nil {
		return Target{}, err
	}
	return Target{Config: session.rest, Client: client.Kube, Dynamic: client.Dynamic, Namespace: session.config.Namespace}, nil
}

// clientFor makes clients that call themselves by an item. Connections are shared: they
// hang on the TLS settings, which all items have in common.
func clientFor(id string) (throwaway.Client, error) {
	config := rest.CopyConfig(session.rest)
	config.UserAgent = userAgent(id)
	return throwaway.NewClient(config)
}

func kitFor(id string) (*throwaway.Kit, error) {
	for _, reason := range []*finding.Finding{session.facts.Unreachable, session.facts.NoThrowaways} {
		if reason != nil {
			return nil, reason
		}
	}
	if session.config.ReadOnly {
		return nil, finding.NotDecided("a throwaway object to measure with", "--read-only forbids creating one", "", "run it again without --read-only")
	}
	client, err := clientFor(id)
	if err != nil {
		return nil, finding.NotDecided("clients for the cluster", err.Error(), "", "").Because(err)
	}
	return session.run.Kit(id, func(cleanup func(context.Context) error) {
		ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) {
			within, cancel := pastInterrupt(ctx)
			defer cancel()
			if err := cleanup(within); err != nil {
				sendCleanupFailure(id, err)
			}
		}, ginkgo.NodeTimeout(cleanupTimeout))
	}).As(client), nil
}

// UserAgent is what requests of the running check call themselves.
func UserAgent() string { return userAgent(current.item.ID) }

// userAgent names the item that a request is made for.
func userAgent(id string) string {
	return fmt.Sprintf("conformance/%s (%s)", session.config.Version, id)
}

// linkClient asks whether evidence answers; it trusts the company's CA, if one is
// answered, beside the system's.
func linkClient() *http.Client {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if file := session.answers.Certificates.CAFile; file != "" {
		if pem, err := os.ReadFile(file); err == nil {
			roots.AppendCertsFromPEM(pem)
		}
	}
	transport := &http.Transport{Proxy: session.answers.Runner.Proxies.ForRequest, TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	return &http.Client{Transport: transport, Timeout: linkTimeout}
}

// secretReader reads Kubernetes Secrets that the answers file refers to.
type secretReader struct{}

func (secretReader) ReadSecret(ctx context.Context, namespace, name, key string) (string, error) {
	if session.facts.Unreachable != nil {
		return "", session.facts.Unreachable
	}
	target, err := targetFor(current.item.ID)
	if err != nil {
		return "", err
	}
	if namespace == "" {
		namespace = session.config.Namespace
	}
	secret, err := target.Client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", kubeerr.FromAPI(err, fmt.Sprintf("read Secret %s/%s", namespace, name))
	}
	value, present := secret.Data[key]
	if !present {
		return "", fmt.Errorf("Secret %s/%s has no key %q", namespace, name, key)
	}
	return string(value), nil
}

func splitList(paths string) []string { return strings.Split(paths, string(os.PathListSeparator)) }

func started(id string) progress.Event { return progress.Event{Started: id} }

func redactFinding(f finding.Finding) *finding.Finding {
	for _, text := range []*string{&f.Expected, &f.Found, &f.Why, &f.Do} {
		*text = session.redactor.String(*text)
	}
	return &f
}

func redactValue(value any) any {
	switch v := value.(type) {
	case string:
		return session.redactor.String(v)
	case []string:
		out := make([]string, len(v))
		for i, s := range v {
			out[i] = session.redactor.String(s)
		}
		return out
	case time.Duration:
		return v.Round(time.Millisecond).String()
	case fmt.Stringer:
		return session.redactor.String(v.String())
	}
	return value
}

// contactLine says whom to call about an item: a check of the customer's own may name
// somebody of its own.
func contactLine(item checklist.Item) string {
	for _, custom := range session.answers.Custom {
		if custom.ItemID() == item.ID {
			return custom.Contact.String()
		}
	}
	subsection, known := session.catalogue.SubsectionOf(item.ID)
	if !known {
		return ""
	}
	key := subsection.Key
	if item.Contact != "" {
		key = item.Contact
	}
	return session.answers.Contact(key).String()
}
