package policy

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/knftables"
)

// The cluster of the tests: web on this node, and who may want to reach it.
func cluster(policies ...*networkingv1.NetworkPolicy) world {
	pod := func(namespace, name, ip, node string, labels map[string]string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
			Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
				{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}}}},
			Status: corev1.PodStatus{PodIP: ip, Phase: corev1.PodRunning},
		}
	}
	web := pod("a", "web", "10.0.1.1", "here", map[string]string{"app": "web"})
	friend := pod("a", "friend", "10.0.2.1", "there", map[string]string{"app": "friend"})
	friend.Spec.Containers[0].Ports[0].ContainerPort = 9090
	stranger := pod("b", "stranger", "10.0.2.2", "there", map[string]string{"app": "friend"})
	ended := pod("a", "ended", "10.0.1.2", "here", map[string]string{"app": "web"})
	ended.Status.Phase = corev1.PodSucceeded
	host := pod("a", "host", "192.0.2.1", "here", map[string]string{"app": "web"})
	host.Spec.HostNetwork = true
	unborn := pod("a", "unborn", "", "here", map[string]string{"app": "friend"})
	space := func(name, team string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}
	}
	return world{
		pods:       []*corev1.Pod{web, friend, stranger, ended, host, unborn},
		namespaces: []*corev1.Namespace{space("a", "red"), space("b", "blue")},
		policies:   policies,
	}
}

func policyFor(selected map[string]string, in []networkingv1.NetworkPolicyIngressRule, out []networkingv1.NetworkPolicyEgressRule) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}}
	p.Spec = networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: selected}, Ingress: in, Egress: out}
	if in != nil {
		p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
	}
	if out != nil {
		p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
	}
	return p
}

type (
	in   = networkingv1.NetworkPolicyIngressRule
	out  = networkingv1.NetworkPolicyEgressRule
	peer = networkingv1.NetworkPolicyPeer
	port = networkingv1.NetworkPolicyPort
)

func labelled(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func number(protocol corev1.Protocol, n int32) port {
	return port{Protocol: &protocol, Port: ptr.To(intstr.FromInt32(n))}
}

func TestGuards(t *testing.T) {
	web := map[string]string{"app": "web"}
	everyone := &metav1.LabelSelector{}
	for _, test := range []struct {
		name   string
		policy *networkingv1.NetworkPolicy
		want   []string // of web, "direction: match"
	}{
		{"nothing comes in", policyFor(web, []in{}, nil), []string{"Ingress"}},
		{"nothing goes out", policyFor(web, nil, []out{}), []string{"Egress"}},
		{"another pod's", policyFor(map[string]string{"app": "other"}, []in{}, nil), nil},
		{"everybody's", policyFor(nil, []in{}, nil), []string{"Ingress"}},
		{"everything comes in", policyFor(web, []in{{}}, nil), []string{"Ingress: "}},
		{"pods of the namespace", policyFor(web, []in{{From: []peer{{PodSelector: labelled("app", "friend")}}}}, nil),
			[]string{"Ingress: ip saddr { 10.0.2.1 }"}},
		{"a namespace", policyFor(web, []in{{From: []peer{{NamespaceSelector: labelled("team", "blue")}}}}, nil),
			[]string{"Ingress: ip saddr { 10.0.2.2 }"}},
		{"pods of a namespace", policyFor(web, []in{{From: []peer{{NamespaceSelector: labelled("team", "red"), PodSelector: labelled("app", "friend")}}}}, nil),
			[]string{"Ingress: ip saddr { 10.0.2.1 }"}},
		{"pods of all namespaces", policyFor(web, []in{{From: []peer{{NamespaceSelector: everyone, PodSelector: labelled("app", "friend")}}}}, nil),
			[]string{"Ingress: ip saddr { 10.0.2.1, 10.0.2.2 }"}},
		{"pods that are not there", policyFor(web, []in{{From: []peer{{PodSelector: labelled("app", "nobody")}}}}, nil), []string{"Ingress"}},
		{"two peers", policyFor(web, []in{{From: []peer{{PodSelector: labelled("app", "friend")}, {NamespaceSelector: labelled("team", "blue")}}}}, nil),
			[]string{"Ingress: ip saddr { 10.0.2.1, 10.0.2.2 }"}},
		{"a block without a part", policyFor(web, []in{{From: []peer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.0.0/16", Except: []string{"10.0.2.0/24", "10.0.3.0/24"}}}}}}, nil),
			[]string{"Ingress: ip saddr 10.0.0.0/16 ip saddr != 10.0.2.0/24 ip saddr != 10.0.3.0/24"}},
		{"a block of IPv6", policyFor(web, []in{{From: []peer{{IPBlock: &networkingv1.IPBlock{CIDR: "fd00::/8"}}}}}, nil), []string{"Ingress"}},
		{"a port", policyFor(web, []in{{Ports: []port{number(corev1.ProtocolTCP, 80)}}}, nil), []string{"Ingress: tcp dport 80"}},
		{"a protocol", policyFor(web, []in{{Ports: []port{{Protocol: ptr.To(corev1.ProtocolUDP)}}}}, nil), []string{"Ingress: meta l4proto udp"}},
		{"the protocol that is meant", policyFor(web, []in{{Ports: []port{{Port: ptr.To(intstr.FromInt32(80))}}}}, nil), []string{"Ingress: tcp dport 80"}},
		{"a range of ports", policyFor(web, []in{{Ports: []port{{Port: ptr.To(intstr.FromInt32(80)), EndPort: ptr.To(int32(90))}}}}, nil), []string{"Ingress: tcp dport 80-90"}},
		{"a named port is the pod's own", policyFor(web, []in{{Ports: []port{{Port: ptr.To(intstr.FromString("http"))}}}}, nil), []string{"Ingress: tcp dport 8080"}},
		{"a name that no port has", policyFor(web, []in{{Ports: []port{{Port: ptr.To(intstr.FromString("ssh"))}}}}, nil), []string{"Ingress"}},
		{"a name that is another protocol's", policyFor(web, []in{{Ports: []port{{Protocol: ptr.To(corev1.ProtocolUDP), Port: ptr.To(intstr.FromString("http"))}}}}, nil), []string{"Ingress"}},
		{"peers and ports", policyFor(web, []in{{From: []peer{{PodSelector: labelled("app", "friend")}}, Ports: []port{number(corev1.ProtocolTCP, 80), number(corev1.ProtocolUDP, 53)}}}, nil),
			[]string{"Ingress: ip saddr { 10.0.2.1 } tcp dport 80", "Ingress: ip saddr { 10.0.2.1 } udp dport 53"}},
		{"out to pods", policyFor(web, nil, []out{{To: []peer{{PodSelector: labelled("app", "friend")}}}}), []string{"Egress: ip daddr { 10.0.2.1 }"}},
		{"out to a named port of whom it leads to", policyFor(web, nil, []out{{To: []peer{{PodSelector: labelled("app", "friend")}}, Ports: []port{{Port: ptr.To(intstr.FromString("http"))}}}}),
			[]string{"Egress: ip daddr 10.0.2.1 tcp dport 9090"}},
		{"out to a named port within a block", policyFor(web, nil, []out{{To: []peer{{IPBlock: &networkingv1.IPBlock{CIDR: "10.0.2.0/24", Except: []string{"10.0.2.1/32"}}}}, Ports: []port{{Port: ptr.To(intstr.FromString("http"))}}}}),
			[]string{"Egress: ip daddr 10.0.2.2 tcp dport 8080"}},
		{"out to a named port anywhere", policyFor(web, nil, []out{{Ports: []port{{Port: ptr.To(intstr.FromString("http"))}}}}),
			[]string{"Egress: ip daddr 10.0.1.1 tcp dport 8080", "Egress: ip daddr 10.0.2.1 tcp dport 9090", "Egress: ip daddr 10.0.2.2 tcp dport 8080"}},
		{"both ways", policyFor(web, []in{{}}, []out{}), []string{"Egress", "Ingress: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := described(cluster(test.policy).guards("here")); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// described renders guards; all must be of the pod web, the only one that can be guarded here.
func described(guards []guard) []string {
	var all []string
	for _, g := range guards {
		if g.pod != "a/web" || g.address != "10.0.1.1" {
			all = append(all, "guards "+g.pod)
		}
		if len(g.matches) == 0 {
			all = append(all, string(g.direction))
		}
		for _, match := range g.matches {
			all = append(all, string(g.direction)+": "+match)
		}
	}
	return all
}

// Policies add up: what one of them allows is allowed.
func TestPoliciesAddUp(t *testing.T) {
	web := map[string]string{"app": "web"}
	w := cluster(policyFor(web, []in{}, nil), policyFor(web, []in{{Ports: []port{number(corev1.ProtocolTCP, 80)}}}, nil),
		policyFor(web, []in{{Ports: []port{number(corev1.ProtocolTCP, 80)}}, {Ports: []port{number(corev1.ProtocolTCP, 81)}}}, nil))
	if got := described(w.guards("here")); !slices.Equal(got, []string{"Ingress: tcp dport 80", "Ingress: tcp dport 81"}) {
		t.Errorf("%q", got)
	}
}

// A policy of another namespace does not concern the pods of this one.
func TestPoliciesAreOfTheirNamespace(t *testing.T) {
	foreign := policyFor(nil, []in{}, nil)
	foreign.Namespace = "b"
	w := cluster(foreign)
	if got := w.guards("here"); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	if got := w.guards("there"); len(got) != 1 || got[0].pod != "b/stranger" {
		t.Errorf("%+v", got)
	}
}

func TestRender(t *testing.T) {
	tables := knftables.NewFake(knftables.IPv4Family, table)
	w := cluster(policyFor(map[string]string{"app": "web"}, []in{{From: []peer{{PodSelector: labelled("app", "friend")}}}}, []out{}))
	w.dropsDNS = true
	for range 2 { // the second time, there is a table already
		if err := tables.Run(t.Context(), render(tables, w.guards("here"))); err != nil {
			t.Fatal(err)
		}
	}
	got := tables.Dump()
	for _, line := range []string{
		"add chain ip lab-policy forward { type filter hook forward priority 0 ; }",
		"add rule ip lab-policy forward ct state established,related accept",
		"add rule ip lab-policy forward ip saddr 10.0.1.1 jump egress-10.0.1.1",
		"add rule ip lab-policy forward ip daddr 10.0.1.1 jump ingress-10.0.1.1",
		"add rule ip lab-policy egress-10.0.1.1 udp dport { 53, 5353 } drop",
		`add rule ip lab-policy egress-10.0.1.1 counter drop comment "a/web"`,
		"add rule ip lab-policy ingress-10.0.1.1 ip saddr { 10.0.2.1 } return",
	} {
		if strings.Count(got, line+"\n") != 1 {
			t.Errorf("not there once: %s\n%s", line, got)
		}
	}
	if err := tables.Run(t.Context(), render(tables, nil)); err != nil || strings.Contains(tables.Dump(), "10.0.1.1") {
		t.Errorf("a rule outlives its policy: %v\n%s", err, tables.Dump())
	}
}
