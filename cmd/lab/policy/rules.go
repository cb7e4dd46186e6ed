package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// ingress turns a rule of a pod's policy into expressions. A named port is the pod's own.
func (w world) ingress(pod *corev1.Pod, namespace string, rule networkingv1.NetworkPolicyIngressRule) []string {
	var ports []string
	for _, port := range rule.Ports {
		if port.Port == nil || port.Port.Type == intstr.Int {
			ports = append(ports, portMatch(port))
		} else if number, has := named(pod, port); has {
			ports = append(ports, portMatch(number))
		}
	}
	if len(rule.Ports) == 0 {
		ports = []string{""}
	}
	return product(w.addresses("ip saddr", namespace, rule.From), ports)
}

// egress does so for what a pod may reach. A named port is that of each pod that it leads to.
func (w world) egress(namespace string, rule networkingv1.NetworkPolicyEgressRule) []string {
	var ports, matches []string
	for _, port := range rule.Ports {
		if port.Port == nil || port.Port.Type == intstr.Int {
			ports = append(ports, portMatch(port))
			continue
		}
		for _, pod := range w.destinations(namespace, rule.To) {
			if number, has := named(pod, port); has {
				matches = append(matches, "ip daddr "+pod.Status.PodIP+" "+portMatch(number))
			}
		}
	}
	if len(rule.Ports) == 0 {
		ports = []string{""}
	}
	return append(product(w.addresses("ip daddr", namespace, rule.To), ports), matches...)
}

// addresses are expressions of which one fits a packet of a peer; without peers, of everybody.
func (w world) addresses(field, namespace string, peers []networkingv1.NetworkPolicyPeer) []string {
	if len(peers) == 0 {
		return []string{""}
	}
	var pods, matches []string
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if match := blockMatch(field, peer.IPBlock); match != "" {
				matches = append(matches, match)
			}
			continue
		}
		for _, pod := range w.chosen(peer, namespace) {
			pods = append(pods, pod.Status.PodIP)
		}
	}
	slices.Sort(pods)
	if pods = slices.Compact(pods); len(pods) > 0 {
		matches = append(matches, field+" { "+strings.Join(pods, ", ")+" }")
	}
	return matches
}

// destinations are the pods that peers lead to, all without peers.
func (w world) destinations(namespace string, peers []networkingv1.NetworkPolicyPeer) []*corev1.Pod {
	var pods []*corev1.Pod
	if len(peers) == 0 {
		for _, pod := range w.pods {
			if hasOwnNetwork(pod) {
				pods = append(pods, pod)
			}
		}
	}
	for _, peer := range peers {
		if peer.IPBlock == nil {
			pods = append(pods, w.chosen(peer, namespace)...)
			continue
		}
		for _, pod := range w.pods {
			if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil && hasOwnNetwork(pod) && inBlock(peer.IPBlock, address) {
				pods = append(pods, pod)
			}
		}
	}
	return pods
}

// blockMatch is empty for a block that no IPv4 packet is of.
func blockMatch(field string, block *networkingv1.IPBlock) string {
	if prefix, err := netip.ParsePrefix(block.CIDR); err != nil || !prefix.Addr().Is4() {
		return ""
	}
	match := field + " " + block.CIDR
	for _, except := range block.Except {
		match += " " + field + " != " + except
	}
	return match
}

func inBlock(block *networkingv1.IPBlock, address netip.Addr) bool {
	contains := func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		return err == nil && prefix.Contains(address)
	}
	return contains(block.CIDR) && !slices.ContainsFunc(block.Except, contains)
}

// portMatch fits packets to a numbered port, to a range from it on, or of a protocol.
func portMatch(port networkingv1.NetworkPolicyPort) string {
	protocol := strings.ToLower(string(protocolOf(port)))
	switch {
	case port.Port == nil:
		return "meta l4proto " + protocol
	case port.EndPort != nil:
		return fmt.Sprintf("%s dport %d-%d", protocol, port.Port.IntVal, *port.EndPort)
	}
	return fmt.Sprintf("%s dport %d", protocol, port.Port.IntVal)
}

func protocolOf(port networkingv1.NetworkPolicyPort) corev1.Protocol {
	return ptr.Deref(port.Protocol, corev1.ProtocolTCP)
}

// named returns the pod's port of that name and protocol, by its number.
func named(pod *corev1.Pod, port networkingv1.NetworkPolicyPort) (networkingv1.NetworkPolicyPort, bool) {
	for _, container := range pod.Spec.Containers {
		for _, own := range container.Ports {
			protocol := own.Protocol
			if protocol == "" {
				protocol = corev1.ProtocolTCP
			}
			if own.Name == port.Port.StrVal && protocol == protocolOf(port) {
				number := intstr.FromInt32(own.ContainerPort)
				return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &number}, true
			}
		}
	}
	return networkingv1.NetworkPolicyPort{}, false
}

// product joins each address with each port.
func product(addresses, ports []string) []string {
	var matches []string
	for _, address := range addresses {
		for _, port := range ports {
			matches = append(matches, strings.TrimSpace(address+" "+port))
		}
	}
	return matches
}
