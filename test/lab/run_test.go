//go:build lab

package lab

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"

	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/report"
	"aiv.internal/conformance/framework/verdict"
)

// ours selects every object that a run makes.
const ours = "app.kubernetes.io/managed-by=aiv-conformance"

func TestHealthyLabIsSilent(t *testing.T) {
	first := run(t)
	if first.code != verdict.ExitWarnings && first.code != verdict.ExitMet {
		t.Errorf("exit code %d, want %d (no check yet) or %d", first.code, verdict.ExitWarnings, verdict.ExitMet)
	}
	for _, item := range first.items {
		switch item.Verdict {
		case verdict.Failed, verdict.Undecided, verdict.NotAnswered:
			t.Errorf("%s %s is %s:\n%s", item.ID, item.Title, item.Verdict, item.Explanation())
		}
	}
	everyItemHasACase(t, first)
	expectNothingLeft(t)
	second := run(t)
	if a, b := caseNames(t, first), caseNames(t, second); !slices.Equal(a, b) {
		t.Errorf("names differ between two runs:\n%v\n%v", a, b)
	}
	expectNothingLeft(t)
}

func everyItemHasACase(t *testing.T, o outcome) {
	t.Helper()
	catalogue, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	cases := caseNames(t, o)
	for _, item := range catalogue.Items() {
		suite, _ := catalogue.SectionOf(item.ID)
		subsection, _ := catalogue.SubsectionOf(item.ID)
		name := suite.Name() + " / " + subsection.Name() + " / " + item.Name()
		if present := slices.Contains(cases, name); present == (item.Kind == checklist.Option) {
			t.Errorf("%s (%s): in the JUnit file: %v", name, item.Kind, present)
		}
	}
}

// caseNames returns what GitLab knows the cases by: suite, class and name.
func caseNames(t *testing.T, o outcome) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(o.folder, report.JUnitFile))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Suites []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Class string `xml:"classname,attr"`
				Name  string `xml:"name,attr"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, suite := range file.Suites {
		for _, c := range suite.Cases {
			names = append(names, suite.Name+" / "+c.Class+" / "+c.Name)
		}
	}
	slices.Sort(names)
	if doubled := len(names) - len(slices.Compact(slices.Clone(names))); doubled > 0 {
		t.Errorf("%d cases have the identity of another", doubled)
	}
	return names
}

func TestFocus(t *testing.T) {
	for focus, want := range map[string][]string{
		"dns":         {"2.1.1", "2.1.2", "2.1.3", "N.1.6"},
		"ingress":     {"2.2.1", "2.2.2", "2.2.3", "2.2.4", "N.1.1", "N.1.2"},
		"tls":         {"2.2.4", "3.1.1", "3.1.2", "3.1.3", "3.1.3.1", "3.1.3.2", "3.1.3.3", "3.1.4", "3.1.5", "3.1.6"},
		"entra":       {"4.1.1", "4.1.2", "4.1.3", "4.1.4", "4.1.5", "4.1.6", "4.1.7", "4.1.7.1", "4.1.7.2", "4.1.8"},
		"firewall":    {"2.3.4", "2.3.4.1", "2.3.4.2", "2.3.4.3", "2.3.4.4", "2.3.4.5"},
		"6.1.4.1":     {"6.1.4.1"},
		"pull secret": {"5.1.6"},
		"5.1":         {"5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.5", "5.1.6"},
	} {
		t.Run(focus, func(t *testing.T) {
			o := run(t, "--focus="+focus)
			got := slices.Sorted(maps.Keys(o.items))
			got = slices.DeleteFunc(got, func(id string) bool { return id == "cleanup" })
			if !slices.Equal(got, want) {
				t.Errorf("ran %v, want %v", got, want)
			}
			if o.code != verdict.ExitMet {
				t.Errorf("exit code %d", o.code)
			}
			expectNothingLeft(t)
		})
	}
}

func TestAFocusThatMatchesNothingIsWrongUse(t *testing.T) {
	o := run(t, "--focus=gpuu")
	if o.code != verdict.ExitUsage || o.items != nil {
		t.Errorf("exit code %d and a report of %d items, want %d and none", o.code, len(o.items), verdict.ExitUsage)
	}
	expectNothingLeft(t)
}

func TestReadOnlyCreatesNothing(t *testing.T) {
	before := resourceVersions(t)
	o := run(t, "--read-only", "--focus=access,registry,storage")
	if after := resourceVersions(t); !maps.Equal(before, after) {
		t.Errorf("the namespace changed: %v, then %v", before, after)
	}
	if o.items["1.1.5.1"].Verdict != verdict.Passed {
		t.Errorf("1.1.5.1 needs no object, but is %s", o.items["1.1.5.1"].Verdict)
	}
	if item := o.items["6.1.4.1"]; item.Verdict != verdict.Undecided || !strings.Contains(item.Explanation(), "--read-only") {
		t.Errorf("6.1.4.1 is %s, want undecided because of --read-only:\n%s", item.Verdict, item.Explanation())
	}
	if o.code != verdict.ExitUndecided {
		t.Errorf("exit code %d", o.code)
	}
}

// resourceVersions lists the objects of the namespace that a run could make.
func resourceVersions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	pods, err := admin.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range pods.Items {
		found["pod/"+object.Name] = object.ResourceVersion
	}
	claims, err := admin.CoreV1().PersistentVolumeClaims(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range claims.Items {
		found["claim/"+object.Name] = object.ResourceVersion
	}
	leases, err := admin.CoordinationV1().Leases(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range leases.Items {
		found["lease/"+object.Name] = object.ResourceVersion
	}
	return found
}

func TestKubeConfigFromGitLabsVariables(t *testing.T) {
	content, err := os.ReadFile(lab.State("kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", "")
	t.Setenv("KUBE_CONFIG", base64.StdEncoding.EncodeToString(content))
	o := run(t, "--kubeconfig=", "--focus=1.1.1")
	if o.code != verdict.ExitMet {
		t.Errorf("exit code %d", o.code)
	}
	t.Setenv("KUBE_CONTEXT", "no-such-context")
	if o := run(t, "--kubeconfig=", "--focus=1.1.1"); o.code != verdict.ExitNotMet {
		t.Errorf("with an unknown KUBE_CONTEXT, exit code %d, want %d", o.code, verdict.ExitNotMet)
	}
}

// TestASignalLeavesNothing sends SIGTERM, as GitLab does when a job is cancelled, once pods
// of the run are there.
func TestASignalLeavesNothing(t *testing.T) {
	command, o := prepare(t)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	waitForPods(t)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	o.finish(t, command.Wait())
	if o.code != verdict.ExitUndecided {
		t.Errorf("exit code %d, want %d", o.code, verdict.ExitUndecided)
	}
	if len(o.items) == 0 || !o.report.Run.Interrupted {
		t.Errorf("an interrupted run owes a report that says so: %d items", len(o.items))
	}
	for _, item := range o.items {
		if item.Verdict == verdict.Failed {
			t.Errorf("an interruption is nobody's failure, but %s failed:\n%s", item.ID, item.Explanation())
		}
	}
	everyItemHasACase(t, *o)
	expectNothingLeft(t)
}

// TestCleanupAfterAKill kills the run's processes, so that none of them can clean up.
func TestCleanupAfterAKill(t *testing.T) {
	command, _ := prepare(t, "--focus=storage,ingress,2.3.1")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	waitForIngress(t)
	killTree(t, command.Process.Pid)
	command.Wait()
	there := strings.Join(left(t), " ")
	for _, kind := range []string{"pods/", "persistentvolumeclaims/", "networkpolicies/", "services/", "ingresses/", "secrets/"} {
		if !strings.Contains(there, kind) {
			t.Fatalf("the killed run left %s: that nothing of %s stays proves nothing", there, kind)
		}
	}
	cleanup, _ := prepare(t)
	cleanup.Args = []string{runnerPath, "cleanup", "--all", "--answers", lab.State("answers.yaml"), "--kubeconfig", lab.State("kubeconfig")}
	if err := cleanup.Run(); err != nil {
		t.Fatal(err)
	}
	expectNothingLeft(t)
}

// killTree kills a process and all below it, so that none is left to tidy up.
func killTree(t *testing.T, pid int) {
	t.Helper()
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		content, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended meanwhile
		}
		var child, parent int
		var state string
		fmt.Sscan(string(content), &child)
		// The name in parentheses may hold anything; the state and the parent follow it.
		fmt.Sscan(string(content[strings.LastIndexByte(string(content), ')')+1:]), &state, &parent)
		parents[child] = parent
	}
	for child := range parents {
		for p := child; p > 1; p = parents[p] {
			if p == pid {
				syscall.Kill(child, syscall.SIGKILL)
				break
			}
		}
	}
}

func waitForPods(t *testing.T) {
	t.Helper()
	waitFor(t, admin.CoreV1().Pods(namespace))
}

// waitForIngress waits for the last object that is made before anything is waited for.
func waitForIngress(t *testing.T) {
	t.Helper()
	waitFor(t, admin.NetworkingV1().Ingresses(namespace))
}

func waitFor(t *testing.T, kind interface {
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}) {
	t.Helper()
	watching, err := kind.Watch(t.Context(), metav1.ListOptions{LabelSelector: ours})
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Stop()
	select {
	case <-watching.ResultChan():
	case <-time.After(30 * time.Second):
		t.Fatal("nothing of the run appeared")
	}
}

func expectNothingLeft(t *testing.T) {
	t.Helper()
	if objects := left(t); len(objects) > 0 {
		t.Errorf("left behind: %v", objects)
	}
}

// left lists what carries the suite's label in the namespace, of whatever kind.
func left(t *testing.T) []string {
	t.Helper()
	kinds, err := admin.Discovery().ServerPreferredNamespacedResources()
	if err != nil {
		t.Fatal(err)
	}
	kinds = discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, kinds)
	all, err := discovery.GroupVersionResources(kinds)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for kind := range all {
		// Kubernetes gives them the labels of their Service, and removes them some time after it.
		if kind.Resource == "endpoints" || kind.Resource == "endpointslices" {
			continue
		}
		list, err := objects.Resource(kind).Namespace(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: ours})
		if err != nil {
			t.Fatalf("list %s: %v", kind.Resource, err)
		}
		for _, o := range list.Items {
			out = append(out, kind.Resource+"/"+o.Name)
		}
	}
	slices.Sort(out)
	return out
}
