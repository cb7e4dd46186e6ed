package network

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// dnsName is in every cluster, and found through the pod's search list whatever the
	// cluster's domain.
	dnsName = "kubernetes.default.svc"
	// exceptionWords describe chartException.
	exceptionWords = "UDP and TCP 53 to kube-system, private ranges and 169.254.169.254, as JupyterHub's chart"
)

// exception is the proof that DNS works for a pod whose egress is closed but for DNS.
type exception struct {
	// before: names were found before there was a policy of ours; stopped: no longer when all
	// egress was denied, and not again for holdTime.
	before, stopped bool
	// opened is how long the exception took to work; 0 if it did not. wider: another one did,
	// with other ports and destinations.
	opened time.Duration
	wider  bool
	err    error
}

// except closes a pod's egress and then opens what JupyterHub's chart opens for DNS.
func (c chain) except(ctx context.Context, server member) (e exception) {
	if server.err != nil {
		return exception{err: server.err}
	}
	pod := server.pod
	if e.before, _, e.err = turn(ctx, changeTime, pod.Ready); e.err != nil {
		return e
	}
	if _, e.err = c.kit.NetworkPolicy(ctx, throwaway.PolicyOptions{Name: "closed", Role: roleServer, Egress: []networkingv1.NetworkPolicyEgressRule{}}); e.err != nil {
		return e
	}
	if e.stopped, e.err = staysSo(ctx, pod.NotReady, pod.Ready); e.err != nil || !e.stopped {
		return e
	}
	for i, rules := range [][]networkingv1.NetworkPolicyEgressRule{chartException(), wideException()} {
		if _, e.err = c.kit.NetworkPolicy(ctx, throwaway.PolicyOptions{Name: "dns", Role: roleServer, Egress: rules}); e.err != nil {
			return e
		}
		found, took, err := turn(ctx, changeTime, pod.Ready)
		if err != nil || found {
			e.opened, e.wider, e.err = took, i > 0, err
			return e
		}
	}
	return e
}

// staysSo tells whether what is waited for came in time, and whether the contrary then stayed
// away for holdTime: a single packet that is lost looks like a closed way, until the next one.
func staysSo(ctx context.Context, wait, contrary func(context.Context) error) (bool, error) {
	came, _, err := turn(ctx, changeTime, wait)
	if err != nil || !came {
		return false, err
	}
	back, _, err := turn(ctx, holdTime, contrary)
	return err == nil && !back, err
}

// chartException opens DNS as zero-to-jupyterhub 4 does (egressAllowRules: dnsPortsPrivateIPs,
// dnsPortsKubeSystemNamespace, dnsPortsCloudMetadataServer).
func chartException() []networkingv1.NetworkPolicyEgressRule {
	to := []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: metav1.NamespaceSystem}}}}
	for _, cidr := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32"} {
		to = append(to, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
	}
	return []networkingv1.NetworkPolicyEgressRule{{To: to, Ports: dnsPorts(53)}}
}

// wideException opens DNS to everywhere, also on the port that OpenShift's uses.
func wideException() []networkingv1.NetworkPolicyEgressRule {
	return []networkingv1.NetworkPolicyEgressRule{{Ports: dnsPorts(53, 5353)}}
}

func dnsPorts(numbers ...int32) (ports []networkingv1.NetworkPolicyPort) {
	for _, number := range numbers {
		for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
			ports = append(ports, networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: ptr.To(intstr.FromInt32(number))})
		}
	}
	return ports
}

// judge is the verdict of N.1.6.
func (e exception) judge() error {
	const expected = "names are found by a pod whose egress is closed but for DNS"
	switch {
	case e.err != nil:
		return hindered(e.err)
	case !e.stopped:
		return finding.NotDecided(expected, fmt.Sprintf("%v after all egress was denied, names were still found, or found again within %v", changeTime, holdTime),
			"policies are not enforced, or not for DNS, so that an exception proves nothing", "see item 2.3.1")
	case e.opened > 0 && !e.wider:
		return nil
	case e.opened > 0:
		return finding.Failed(expected, "they are not with the exception of JupyterHub's chart ("+exceptionWords+"); they are with ports 53 and 5353 to everywhere",
			"the cluster's DNS listens on another port than 53 (OpenShift: 5353), or at another address (NodeLocal DNSCache: 169.254.20.10)",
			"add a rule for it to networkPolicy.egress of hub, proxy and singleuser in the chart's values")
	case !e.before:
		return finding.NotDecided(expected, "names are not found at all, with a policy or without", "the cluster's DNS does not answer pods", "see item 2.1.3")
	}
	return finding.Failed(expected, fmt.Sprintf("DNS does not get through: %v after ports 53 and 5353 were opened to everywhere, %s was not found; without policies it was", changeTime, dnsName),
		"the network plugin judges DNS queries by the Service's address or its own DNS proxy instead of where they go, or drops them",
		"look at the network plugin's log of dropped packets for UDP port 53")
}
