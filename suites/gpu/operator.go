package gpu

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// The traces of the GPU operator: its one cluster-wide object, and its Deployment as the chart
// (deployments/gpu-operator) and Operator Lifecycle Manager label it.
var clusterPolicies = schema.GroupVersionResource{Group: "nvidia.com", Version: "v1", Resource: "clusterpolicies"}

const (
	operatorSelector = "app=gpu-operator"
	versionLabel     = "app.kubernetes.io/version"
	chartLabel       = "helm.sh/chart"
	ownerLabel       = "olm.owner"
	stateReady       = "ready"
	noOperator       = "none"
)

// operator is the GPU operator as far as it was found.
type operator struct {
	// where says what it was recognised by, empty if it was not.
	where     string
	version   string
	state     string
	simulated string
	// hidden is why it may be there unseen: the first error of a look that was refused.
	hidden error
}

// findOperator looks at the ClusterPolicy, then at the Deployment, then at the labels that the
// operator puts on nodes.
func findOperator(ctx context.Context, dynamic dynamic.Interface, client kubernetes.Interface, labelled bool) operator {
	var o operator
	policies, err := dynamic.Resource(clusterPolicies).List(ctx, metav1.ListOptions{Limit: 10})
	switch {
	case err == nil && len(policies.Items) > 0:
		o.fromPolicy(ruling(policies.Items))
	case kubeerr.ReasonOf(err) == kubeerr.NotServed && !labelled:
		return o // the operator does not start without its kind
	default:
		o.note(err)
	}
	if o.version != "" {
		return o
	}
	deployments, err := client.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: operatorSelector, Limit: 10})
	if err == nil && len(deployments.Items) > 0 {
		o.fromDeployment(deployments.Items[0])
	} else {
		o.note(err)
	}
	if o.where == "" && labelled {
		o.where = "labels " + deployPrefix + "* on nodes"
	}
	return o
}

// note remembers why a look showed nothing; a kind that is not served is not there.
func (o *operator) note(err error) {
	switch kubeerr.ReasonOf(err) {
	case kubeerr.None, kubeerr.NotServed, kubeerr.NotFound:
	default:
		if o.hidden == nil {
			o.hidden = err
		}
	}
}

// ruling is the ClusterPolicy that counts: of several, the operator marks all but one ignored.
func ruling(policies []unstructured.Unstructured) unstructured.Unstructured {
	for _, policy := range policies {
		if state, _, _ := unstructured.NestedString(policy.Object, "status", "state"); state != "ignored" {
			return policy
		}
	}
	return policies[0]
}

func (o *operator) fromPolicy(policy unstructured.Unstructured) {
	o.where = "ClusterPolicy " + policy.GetName()
	o.version = versionIn(policy.GetLabels())
	o.state, _, _ = unstructured.NestedString(policy.Object, "status", "state")
	for key, text := range policy.GetAnnotations() {
		if strings.HasSuffix(key, simulatedMark) {
			o.simulated = text
		}
	}
}

func (o *operator) fromDeployment(d appsv1.Deployment) {
	o.where = fmt.Sprintf("Deployment %s/%s", d.Namespace, d.Name)
	if o.version = versionIn(d.Labels); o.version == "" && len(d.Spec.Template.Spec.Containers) > 0 {
		image, _, _ := strings.Cut(d.Spec.Template.Spec.Containers[0].Image, "@")
		if at := strings.LastIndex(image, ":"); at > strings.LastIndex(image, "/") {
			o.version = versionOf(image[at+1:])
		}
	}
}

// versionPattern is a version at the end of a name or alone: gpu-operator-v25.3.0,
// gpu-operator-certified.v25.3.1.
var versionPattern = regexp.MustCompile(`v?(\d+\.\d+(?:\.\d+)?(?:[-+][0-9A-Za-z.-]+)?)$`)

// versionIn returns the operator's version as an object's labels say it, "" if they do not.
func versionIn(labels map[string]string) string {
	for _, key := range []string{versionLabel, chartLabel, ownerLabel} {
		if v := versionOf(labels[key]); v != "" {
			return v
		}
	}
	return ""
}

func versionOf(text string) string {
	if match := versionPattern.FindStringSubmatch(strings.TrimSpace(text)); match != nil {
		return match[1]
	}
	return ""
}

// sameVersion tells whether the answered version is the one found, as precisely as it was
// given: "25.3" matches v25.3.0.
func sameVersion(answered, found string) bool {
	answered, found = versionOf(answered), versionOf(found)
	return answered != "" && (found == answered || strings.HasPrefix(found, answered+"."))
}

// judgeOperator holds the operator against the answer; nil if it is as answered.
func judgeOperator(o operator, answered string) *finding.Finding {
	absent := strings.EqualFold(strings.TrimSpace(answered), noOperator)
	expected := "GPU operator " + answered
	if absent {
		expected = "a device plugin without the GPU operator"
	}
	switch {
	case absent && o.where != "":
		return finding.Failed(expected, "the GPU operator is there: "+o.where+suffixed(", version ", o.version),
			"it was installed since the answer was given", "correct gpu.operatorVersion")
	case o.where == "" && o.hidden != nil:
		f := kubeerr.FromAPI(o.hidden, expected)
		return finding.NotDecided(expected, "it cannot be seen: "+f.Found, f.Why, f.Do).Because(o.hidden)
	case absent:
		return nil
	case o.where == "":
		return finding.Failed(expected, "no ClusterPolicy, no Deployment labelled "+operatorSelector+", no label "+deployPrefix+"* on any node",
			"the device plugin runs without the operator, or the operator was removed", "answer gpu.operatorVersion: none, or have the operator installed")
	case o.version == "" && o.hidden != nil:
		f := kubeerr.FromAPI(o.hidden, expected)
		return finding.NotDecided(expected, "the operator is there ("+o.where+"), but its version cannot be seen: "+f.Found, f.Why, f.Do).Because(o.hidden)
	case o.version == "":
		return finding.NotDecided(expected, "the operator is there ("+o.where+"), but nothing says its version",
			"it was not installed by its chart, which labels what it makes", "look at the image of the operator's pod")
	case versionOf(answered) == "":
		return finding.Failed("a version like v25.3.0, or none, in gpu.operatorVersion", fmt.Sprintf("%q; the operator's is %s (%s)", answered, o.version, o.where), "", "correct gpu.operatorVersion")
	case !sameVersion(answered, o.version):
		return finding.Failed(expected, fmt.Sprintf("version %s (%s)", o.version, o.where),
			"the operator was upgraded since the answer was given, or this is another cluster", "correct gpu.operatorVersion")
	}
	return nil
}

func suffixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
