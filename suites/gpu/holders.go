package gpu

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"aiv.internal/conformance/framework/kubeerr"
)

// mostPods of one node are looked at: the kubelet's own limit is 110.
const mostPods = 500

// holders says which pods hold the resource on a node: those of all namespaces where they may
// be listed, else those of the namespace, and which right is missing. It is told for a message
// only, so that it returns words in any case.
func holders(ctx context.Context, client kubernetes.Interface, namespace, node, resource string) string {
	held, err := holdersIn(ctx, client, metav1.NamespaceAll, node, resource)
	if err == nil {
		if len(held) == 0 {
			return "no pod asks for " + resource + " there: the device plugin or a static allocation holds it"
		}
		return "held by " + names(held)
	}
	missing := "who else cannot be seen: " + err.Error()
	if right := kubeerr.MissingRightOf(err); right != "" {
		missing = "pods of other namespaces cannot be seen: the runner may not " + right
	}
	held, err = holdersIn(ctx, client, namespace, node, resource)
	if err != nil || len(held) == 0 {
		return fmt.Sprintf("held by no pod of namespace %s; %s", namespace, missing)
	}
	return fmt.Sprintf("held by %s; %s", names(held), missing)
}

// holdersIn returns "namespace/name (count)" of the pods on a node that ask for the resource
// and have not ended.
func holdersIn(ctx context.Context, client kubernetes.Interface, namespace, node, resource string) ([]string, error) {
	there := fields.AndSelectors(
		fields.OneTermEqualSelector("spec.nodeName", node),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)))
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{FieldSelector: there.String(), Limit: mostPods})
	if err != nil {
		return nil, err
	}
	var held []string
	for i := range pods.Items {
		if n := asked(&pods.Items[i], resource); n > 0 {
			held = append(held, fmt.Sprintf("%s/%s (%d)", pods.Items[i].Namespace, pods.Items[i].Name, n))
		}
	}
	slices.SortFunc(held, strings.Compare)
	return held, nil
}

// asked is how many of an extended resource a pod holds: what its containers ask for together,
// or one of its init containers alone.
func asked(pod *corev1.Pod, resource string) int64 {
	of := func(c corev1.Container) int64 {
		quantity := c.Resources.Limits[corev1.ResourceName(resource)]
		return quantity.Value()
	}
	together, alone := int64(0), int64(0)
	for _, c := range pod.Spec.Containers {
		together += of(c)
	}
	for _, c := range pod.Spec.InitContainers {
		alone = max(alone, of(c))
	}
	return max(together, alone)
}
