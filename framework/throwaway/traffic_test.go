package throwaway

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"aiv.internal/conformance/framework/finding"
)

// A pod with the hub's labels must not get the hub's users, whatever the Services are like.
func TestPodsThatLookLikeOthersTakeNoTraffic(t *testing.T) {
	hub := map[string]string{"component": "hub", "app": "jupyterhub"}
	for _, c := range []struct {
		name     string
		labels   map[string]string
		selector map[string]string
		always   bool
		refused  bool
	}{
		{"only ready pods get traffic", hub, map[string]string{"component": "hub"}, false, false},
		{"all pods get traffic", hub, map[string]string{"component": "hub"}, true, true},
		{"other pods get traffic", hub, map[string]string{"component": "proxy"}, true, false},
		{"a Service without selector", hub, nil, true, false},
		{"a pod with labels of ours", map[string]string{LabelRole: "x"}, map[string]string{"component": "hub"}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, client := newAPI(t)
			k, _ := kit(begin(t, client, "r1"), "2.3.3")
			service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "hub", Namespace: namespace},
				Spec: corev1.ServiceSpec{Selector: c.selector, PublishNotReadyAddresses: c.always}}
			if _, err := client.Kube.CoreV1().Services(namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			_, err := k.Pod(t.Context(), PodOptions{Labels: c.labels})
			f := finding.As(err)
			if c.refused && (f == nil || !f.Undecided || !strings.Contains(f.Found, "Service hub")) || !c.refused && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// What the cluster has no kind for was never made: to delete it cannot fail.
func TestNothingIsLeftOfAKindThatIsNotThere(t *testing.T) {
	resource := schema.GroupResource{Resource: "httproutes"}
	for _, err := range []error{nil, apierrors.NewNotFound(resource, "x"), apierrors.NewGenericServerResponse(404, "delete", resource, "x", "404 page not found", 0, true)} {
		if wrong := deleted(err, "HTTPRoute", "x"); wrong != nil {
			t.Errorf("%v: %v", err, wrong)
		}
	}
	if deleted(apierrors.NewForbidden(resource, "x", nil), "HTTPRoute", "x") == nil {
		t.Error("a deletion that is refused is no failure")
	}
}
