package gpu

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"aiv.internal/conformance/framework/finding"
)

// A node that went away, or out of service, between the list and the job is nobody's failure.
func TestNodesThatChangeMeanwhile(t *testing.T) {
	away := gpuNode("gpu1", 4, 4, present, corev1.Taint{Key: "karpenter.sh/disrupted", Effect: corev1.TaintEffectNoSchedule})
	down := gpuNode("gpu1", 4, 4, present)
	down.Status.Conditions[0].Status = corev1.ConditionUnknown
	for name, c := range map[string]struct {
		now     *corev1.Node
		outcome outcome
		refused error
		words   string
	}{
		"gone":                     {nil, unplaced, nil, "the node is gone; no node meets it"},
		"being taken away":         {away, unplaced, nil, "the node is now tainted karpenter.sh/disrupted"},
		"down under a running job": {down, refused, nil, "the node is now NotReady"},
		"still there":              {gpuNode("gpu1", 4, 4, present), unplaced, nil, ""},
		"cannot be listed":         {nil, unplaced, errors.New("refused"), ""},
		"it measured":              {nil, measured, nil, ""},
	} {
		client := fake.NewClientset()
		client.PrependReactor("list", "nodes", func(action clienttesting.Action) (bool, kruntime.Object, error) {
			if got := action.(clienttesting.ListActionImpl).GetListOptions().FieldSelector; got != "metadata.name=gpu1" {
				t.Errorf("%s: listed by %q", name, got)
			}
			list := &corev1.NodeList{}
			if c.now != nil {
				list.Items = append(list.Items, *c.now)
			}
			return true, list, c.refused
		})
		tried := &trial{node: node{name: "gpu1"}, outcome: c.outcome, why: finding.Failed("it runs", "no node meets it", "", "")}
		s := &section{terms: standard, smoke: &smoke{trials: []*trial{tried}}}
		s.lookAgain(context.Background(), client)
		if c.words == "" {
			if tried.outcome != c.outcome || tried.why.Undecided {
				t.Errorf("%s: %v, %v", name, tried.outcome, tried.why)
			}
		} else if tried.outcome != prevented || !tried.why.Undecided || !strings.Contains(tried.why.Found, c.words) || tried.why.Expected != "it runs" {
			t.Errorf("%s: %v, %v", name, tried.outcome, tried.why)
		}
	}
}
