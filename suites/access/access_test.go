package access

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"aiv.internal/conformance/framework/answers"
)

func TestVersions(t *testing.T) {
	server := version.MustParseGeneric("v1.36.1")
	for confirmed, want := range map[string]bool{"1.36": true, "v1.36": true, "1.36.1": true, "1": true, "1.36.10": false, "1.3": false, "1.35": false} {
		if matches(confirmed, server) != want {
			t.Errorf("%s matches 1.36.1: %v, want %v", confirmed, !want, want)
		}
	}
	for kubelet, want := range map[string]bool{"v1.36.1": true, "v1.36.9": true, "v1.33.0": true, "v1.32.9": false, "v1.37.0": false} {
		if supported(server, version.MustParseGeneric(kubelet)) != want {
			t.Errorf("kubelet %s: supported %v, want %v", kubelet, !want, want)
		}
	}
}

func node(name string, ready corev1.ConditionStatus, change func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
	if change != nil {
		change(n)
	}
	return n
}

func TestCensus(t *testing.T) {
	var c census
	for _, n := range []*corev1.Node{
		node("cpu", corev1.ConditionTrue, nil),
		node("down", corev1.ConditionUnknown, nil),
		node("cordoned", corev1.ConditionTrue, func(n *corev1.Node) { n.Spec.Unschedulable = true }),
		node("gpu", corev1.ConditionTrue, func(n *corev1.Node) {
			n.Status.Capacity = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("2")}
		}),
		node("control-plane", corev1.ConditionTrue, func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
		}),
	} {
		c.add(n, answers.GPU{})
	}
	if c.cpu != 1 || c.gpu != 1 || c.unusable() != " (NotReady: down; cordoned: cordoned)" {
		t.Errorf("%+v, unusable %q", c, c.unusable())
	}
}

func TestTokenEnd(t *testing.T) {
	jwt := func(payload string) string {
		return "x." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".x"
	}
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for token, want := range map[string]time.Time{
		jwt(`{"exp":1798761600}`): end,
		jwt(`{}`):                 {},
		jwt(`no JSON`):            {},
		"not.base64!.x":           {},
		"opaque":                  {},
	} {
		if got := tokenEnd(token); !got.Equal(want) {
			t.Errorf("%s ends %s, want %s", token, got, want)
		}
	}
}

func TestNamesAndMessagesStayShort(t *testing.T) {
	if got := names(strings.Split(strings.Repeat("n ", 30), " ")); !strings.HasSuffix(got, "and 21 more") {
		t.Error(got)
	}
	if got := shorten(strings.Repeat("x", 5000)); len(got) > longest+5 {
		t.Errorf("%d bytes", len(got))
	}
}
