package custom

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

const (
	// pageSize of lists, so that memory does not grow with the cluster.
	pageSize = 500
	// mostNames in one message.
	mostNames = 10
)

// proveObject evaluates the expression for each object that the check names.
func proveObject(ctx context.Context, o answers.ObjectCheck) error {
	target := check.Cluster()
	o.Namespace = orElse(o.Namespace, target.Namespace)
	verdict, err := examine(ctx, target.Client.Discovery(), target.Dynamic, o)
	check.Evidence("objects", verdict.looked)
	return err
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// examination is what was found of the objects.
type examination struct {
	looked int
	wrong  []string
}

// examine finds the objects and holds each against the expression. Its errors are findings.
func examine(ctx context.Context, discovery discovery.ServerResourcesInterface, client dynamic.Interface, o answers.ObjectCheck) (examination, error) {
	var all examination
	rule, err := compile(o.Expect, objectVariable)
	if err != nil {
		return all, notCompiled(o.Expect, err)
	}
	resource, namespaced, err := resourceOf(discovery, o.APIVersion, o.Kind)
	if err != nil {
		return all, err
	}
	var objects dynamic.ResourceInterface = client.Resource(resource)
	where := fmt.Sprintf("%s %s", o.Kind, orElse(o.Name, "with "+o.LabelSelector))
	if namespaced {
		objects = client.Resource(resource).Namespace(o.Namespace)
		where += " in namespace " + o.Namespace
	}
	expected := where + ": " + o.Expect
	if err := each(ctx, objects, o, func(object *unstructured.Unstructured) error {
		all.looked++
		return all.look(ctx, rule, object)
	}); err != nil {
		return all, explain(err, expected, where)
	}
	if all.looked == 0 {
		return all, finding.Failed(expected, "no such object", "none carries these labels", "correct labelSelector, or create the object")
	}
	if len(all.wrong) > 0 {
		return all, finding.Failed(expected, names(all.wrong), "the object is not as the company wants it", "correct the object, or the check's expression")
	}
	return all, nil
}

// look evaluates the rule for one object.
func (e *examination) look(ctx context.Context, rule *expression, object *unstructured.Unstructured) error {
	holds, seen, err := rule.holds(ctx, objectVariable, object.Object)
	if err != nil && !errors.Is(err, errNoAnswer) {
		return err
	}
	name := object.GetName()
	switch {
	case err != nil:
		e.wrong = append(e.wrong, name+" ("+err.Error()+"; has(…) asks whether a field is there)")
	case !holds && seen != "" && object.GetKind() != "Secret":
		e.wrong = append(e.wrong, name+" ("+seen+")")
	case !holds:
		e.wrong = append(e.wrong, name)
	}
	return nil
}

// each visits the named object, or those with the labels, a page at a time.
func each(ctx context.Context, objects dynamic.ResourceInterface, o answers.ObjectCheck, visit func(*unstructured.Unstructured) error) error {
	if o.Name != "" {
		object, err := objects.Get(ctx, o.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return visit(object)
	}
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return objects.List(ctx, options)
	})
	list.PageSize = pageSize
	return list.EachListItem(ctx, metav1.ListOptions{LabelSelector: o.LabelSelector}, func(object runtime.Object) error {
		return visit(object.(*unstructured.Unstructured))
	})
}

// resourceOf asks the API server for the resource of a kind, and for this group and version
// only: discovery of a whole cluster takes seconds.
func resourceOf(discovery discovery.ServerResourcesInterface, apiVersion, kind string) (resource schema.GroupVersionResource, namespaced bool, err error) {
	expected := fmt.Sprintf("the API server serves %s %s", apiVersion, kind)
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return resource, false, finding.NotDecided(expected, err.Error(), "apiVersion is not written as in the object's own file", "correct apiVersion, such as v1 or apps/v1").Because(err)
	}
	served, err := discovery.ServerResourcesForGroupVersion(apiVersion)
	if reason := kubeerr.ReasonOf(err); reason == kubeerr.NotFound || reason == kubeerr.NotServed {
		return resource, false, finding.Failed(expected, "it does not know "+apiVersion, "the operator that brings the kind is not installed, or the version is wrong", "see: kubectl api-versions").Because(err)
	}
	if err != nil {
		return resource, false, kubeerr.FromAPI(err, "ask what "+apiVersion+" has")
	}
	for _, one := range served.APIResources {
		if one.Kind == kind && !strings.Contains(one.Name, "/") {
			return version.WithResource(one.Name), one.Namespaced, nil
		}
	}
	return resource, false, finding.Failed(expected, apiVersion+" has no kind "+kind, "the kind is misspelt, or of another version", "see: kubectl api-resources")
}

// explain words what kept the objects from being read.
func explain(err error, expected, where string) error {
	if kubeerr.ReasonOf(err) == kubeerr.NotFound {
		return finding.Failed(expected, "no such object", "it was not created, or elsewhere", "create it, or correct the check's name and namespace").Because(err)
	}
	return kubeerr.FromAPI(err, "read "+where)
}

// notCompiled: a check that cannot be understood decides nothing.
func notCompiled(text string, err error) error {
	return finding.NotDecided("a CEL expression in the answers file", fmt.Sprintf("%q: %v", text, err), "a slip of the pen", "correct the check's expect; https://cel.dev describes the language").Because(err)
}

func names(all []string) string {
	if len(all) <= mostNames {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:mostNames], ", "), len(all)-mostNames)
}
