package faults

import "aiv.internal/conformance/cmd/lab/topology"

// ownFaults make the customer's own checks of N.2 fail, one of each kind.
func ownFaults() []Fault {
	return []Fault{
		answerFault(Fault{
			Name:        "own-object-otherwise",
			Description: "the customer's own check asks a ConfigMap for a certificate that it does not hold",
			Failed:      []string{"N.2.cluster-ca"},
			Words:       []string{"kube-root-ca.crt", "tls.crt"},
		}, `      expect: "'ca.crt' in object.data"`, `      expect: "'tls.crt' in object.data"`),
		answerFault(Fault{
			Name:        "own-service-otherwise",
			Description: "the customer's own check expects the registry to let everybody in",
			Failed:      []string{"N.2.registry-asks"},
			Words:       []string{"200", "401"},
		}, `      expectStatus: 401`, `      expectStatus: 200`),
		answerFault(Fault{
			Name:        "own-port-closed",
			Description: "the customer's own check names a port at which nothing listens",
			Failed:      []string{"N.2.registry-from-pods"},
			Words:       []string{"refused", topology.RegistryHost + ":" + closedPort},
		}, `      tcp: `+topology.Registry, `      tcp: `+topology.RegistryHost+":"+closedPort),
		answerFault(Fault{
			Name:        "own-program-fails",
			Description: "the customer's own program ends with an exit code other than 0",
			Failed:      []string{"N.2.own-program"},
			Words:       []string{"exit code 3"},
		}, `      args: [exit, "0"]`, `      args: [exit, "3"]`),
	}
}

// closedPort is one of the registry's host at which the lab has no server.
const closedPort = "5009"
