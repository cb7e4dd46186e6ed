package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// verbs is what Helm does with the objects of a release: it creates and waits for them,
// changes them on an upgrade and removes them in the end.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete"}

// reviews at the same time; each is a small request.
const reviews = 8

var _ = check.Subsection("1.1", func() {
	check.Item("1.1.5.1", func(ctx context.Context, _ answers.Cluster) {
		prove(ctx, hubPod(), userPod(), hubService(), hubSecret(), hubConfigMap())
	})

	check.Item("1.1.5.2", func(ctx context.Context, _ answers.Cluster) {
		prove(ctx, homeClaim(check.Answers()))
	})

	check.Item("1.1.5.3", func(ctx context.Context, _ answers.Cluster) {
		prove(ctx, hubIngress(check.Answers()))
	})

	check.Item("1.1.5.4", func(ctx context.Context, a answers.Prometheus) {
		if !*a.Operator {
			check.NotApplicable("prometheus.operator is false: without the Prometheus Operator there are no ServiceMonitors")
		}
		prove(ctx, hubServiceMonitor(a))
	})
})

// sample is one object as the chart would create it.
type sample struct {
	what     string
	resource schema.GroupVersionResource
	object   runtime.Object
}

// prove shows that the objects may be managed and would be admitted: what RBAC says, for
// every verb, and then a server-side dry run through admission and quota, because the
// first alone is known to lie.
func prove(ctx context.Context, samples ...sample) {
	target := check.Cluster()
	missing := missingVerbs(ctx, target, samples)
	if len(missing) > 0 {
		check.Fail("rights in namespace "+target.Namespace+" to "+strings.Join(verbs, ", "), "missing: "+strings.Join(missing, "; "),
			"the role of the identity that installs JupyterHub is incomplete", "grant the missing verbs: deploy/installer-role.yaml lists all")
	}
	for _, s := range samples {
		check.Step("dry-run create of %s", s.what)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s.object)
		check.NoError(err, "build "+s.what)
		object := &unstructured.Unstructured{Object: content}
		_, err = target.Dynamic.Resource(s.resource).Namespace(target.Namespace).Create(ctx, object,
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: "conformance"})
		if err == nil {
			continue
		}
		f := kubeerr.FromAPI(err, "a dry-run create of "+s.what+" is accepted")
		if kubeerr.ReasonOf(err) == kubeerr.MissingRight {
			// Here the right is the requirement itself.
			f = finding.Failed(f.Expected, f.Found, "RBAC refuses it although the access review allowed it", f.Do)
		}
		check.NoError(f, f.Expected)
	}
	check.Evidence("accepted in a dry run", samplesText(samples))
}

// missingVerbs asks for every verb of every kind at once, and names what is refused.
func missingVerbs(ctx context.Context, target check.Target, samples []sample) []string {
	check.Step("ask for %d rights", len(samples)*len(verbs))
	kinds := slices.CompactFunc(slices.Clone(samples), func(a, b sample) bool { return a.resource == b.resource })
	refused := make([][]string, len(kinds))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(reviews)
	for k, kind := range kinds {
		refused[k] = make([]string, len(verbs))
		for v, verb := range verbs {
			group.Go(func() error {
				allowed, err := may(ctx, target.Client, authorizationv1.ResourceAttributes{Namespace: target.Namespace,
					Verb: verb, Group: kind.resource.Group, Resource: kind.resource.Resource})
				if err == nil && !allowed {
					refused[k][v] = verb
				}
				return err
			})
		}
	}
	check.NoError(group.Wait(), "ask for our rights in namespace "+target.Namespace)
	var missing []string
	for k, kind := range kinds {
		if lacking := slices.DeleteFunc(refused[k], func(verb string) bool { return verb == "" }); len(lacking) > 0 {
			missing = append(missing, fmt.Sprintf("%s %s", strings.Join(lacking, ", "), kind.resource.GroupResource()))
		}
	}
	return missing
}

func samplesText(samples []sample) string {
	var out []string
	for _, s := range samples {
		out = append(out, s.what)
	}
	return strings.Join(out, ", ")
}
