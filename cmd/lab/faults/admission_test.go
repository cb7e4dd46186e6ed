package faults

import (
	"bytes"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// TestIngressPolicyIsAboutJupyterHubs: the ingresses that prove traffic are another item's.
func TestIngressPolicyIsAboutJupyterHubs(t *testing.T) {
	document, _, _ := bytes.Cut(ingressPolicy, []byte("\n---\n"))
	var policy admissionregistrationv1.ValidatingAdmissionPolicy
	if err := yaml.UnmarshalStrict(document, &policy); err != nil {
		t.Fatal(err)
	}
	selector, err := metav1.LabelSelectorAsSelector(policy.Spec.MatchConstraints.ObjectSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, ingress := range []struct {
		labels  labels.Set
		matched bool
	}{
		{labels.Set{"app.kubernetes.io/managed-by": "aiv-conformance", "conformance.aiv.internal/item": "2.2.3"}, false},
		{labels.Set{"app": "jupyterhub", "component": "ingress"}, true},
		{labels.Set{"app.kubernetes.io/managed-by": "Helm"}, true},
		{nil, true},
	} {
		if matched := selector.Matches(ingress.labels); matched != ingress.matched {
			t.Errorf("an ingress with the labels %v: the policy is about it %t, want %t", ingress.labels, matched, ingress.matched)
		}
	}
}
