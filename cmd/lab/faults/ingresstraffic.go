package faults

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"aiv.internal/conformance/cmd/lab/front"
	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/ingress"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// behindItems need the Ingress to lead to its pod, which 2.2.3 is about.
var behindItems = without(entranceItems, "2.2.3")

// trafficFaults are the defects of what passes the ingress controller. They are Traefik's, or
// those of a proxy in front of it, and so a full lab's.
func trafficFaults() []Fault {
	return inFullLab(
		answerFault(Fault{
			Name:        "ingress-class-otherwise",
			Description: "the answers name an IngressClass that does not exist",
			Failed:      []string{"2.2.3"},
			Undecided:   append([]string{"2.2.2"}, behindItems...),
			Words:       []string{otherClass, topology.IngressClass},
		}, "  className: "+topology.IngressClass, "  className: "+otherClass),
		restartedWith(Fault{
			Name:        "ingress-not-watched",
			Description: "the ingress controller runs and looks after another IngressClass only",
			Failed:      []string{"2.2.3"},
			Undecided:   behindItems,
			Words:       []string{"404", "does not serve this host"},
		}, `ingressClass: "`+topology.IngressClass+`"`, `ingressClass: "`+otherClass+`"`),
		Fault{
			Name:        "ingress-endpoints-missing",
			Description: "Services get no endpoints, so that the ingress controller knows of no pod behind the Ingress",
			Failed:      []string{"2.2.3"},
			Undecided:   behindItems,
			Words:       []string{"404", "no endpoints", "EndpointSlices"},
			Break:       noEndpoints.refuse,
			Mend:        noEndpoints.admit,
		},
		restartedWith(Fault{
			Name:        "ingress-status-otherwise",
			Description: "the ingress controller publishes an address in the status of Ingresses that is not the load balancer's: the API server answers there",
			Failed:      []string{"2.2.3"},
			Words:       []string{topology.APIServiceIP, topology.VIP, "the pod does not answer"},
			// What it wrote before stays, and tells an address that is not the Service's.
			MayFail: []string{"2.2.1"},
		}, `publishedService: "`+topology.IngressNamespace+"/"+topology.IngressService+`"`, `ip: "`+topology.APIServiceIP+`"`),
		answerFault(Fault{
			Name:        "tls-termination-otherwise",
			Description: "the answers say that the load balancer ends TLS, and it hands it on to the ingress controller",
			Failed:      []string{"2.2.4"},
			Words:       []string{"hands TLS on unopened"},
		}, "  tlsTermination: ingress-controller", "  tlsTermination: load-balancer"),
		withFront(Fault{
			Name:        "tls-ended-in-front",
			Description: "a proxy in front of the ingress controller ends TLS with JupyterHub's certificate, and encrypts anew",
			Failed:      []string{"2.2.4"},
			Words:       []string{"something in front", topology.HubHost},
		}, func(lab *Lab) []string { return []string{"--pair", lab.Dir.PKI(pki.HubServer)} }),
		withFront(Fault{
			Name:        "websocket-cut",
			Description: "a load balancer in front of the ingress controller cuts connections on which nothing is sent for 3 s",
			Failed:      []string{"N.1.1"},
			Words:       []string{"cut after 3 s"},
		}, func(*Lab) []string { return []string{"--idle", "3s"} }),
		onTheWay(Fault{
			Name:        "websocket-upgrade-dropped",
			Description: "the ingress controller takes the Upgrade header off requests",
			Failed:      []string{"N.1.1"},
			Words:       []string{"Upgrade"},
		}, ingress.Way{NoUpgrade: true}),
		onTheWay(Fault{
			Name:        "body-limited",
			Description: "the ingress controller refuses request bodies larger than 1 MB",
			Failed:      []string{"N.1.2"},
			Words:       []string{"413"},
		}, ingress.Way{BodyLimit: 1_000_000}),
		onTheWay(Fault{
			Name:        "answers-buffered",
			Description: "the ingress controller holds every answer back until it is whole",
			Failed:      []string{"N.1.2"},
			Words:       []string{"server-sent events", "complete"},
		}, ingress.Way{Buffer: true}),
	)
}

// inFullLab completes faults that a lab without an ingress controller does not have.
func inFullLab(faults ...Fault) []Fault {
	for i := range faults {
		faults[i].Full = true
	}
	return faults
}

// otherClass is an IngressClass that the lab does not have.
const otherClass = "internal"

// settleTime is how long Traefik takes to notice its changed file, and to use it.
const settleTime = 2 * time.Second

// settle waits for what cannot be seen from outside.
func settle(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settleTime):
		return nil
	}
}

// onTheWay completes a fault that is a way in which Traefik treats requests. It cannot be
// seen from outside without a route, and takes effect a moment after the file is written.
func onTheWay(fault Fault, way ingress.Way) Fault {
	take := func(ctx context.Context, lab *Lab, way ingress.Way) error {
		if err := ingress.Take(ctx, lab.Supervisor, way); err != nil {
			return err
		}
		return settle(ctx)
	}
	fault.Break = func(ctx context.Context, lab *Lab, _ func([]byte) error) error { return take(ctx, lab, way) }
	fault.Mend = func(ctx context.Context, lab *Lab, _ []byte) error { return take(ctx, lab, ingress.Way{}) }
	return fault
}

// restartedWith completes a fault that is another word in what Traefik reads when it starts.
func restartedWith(fault Fault, from, to string) Fault {
	fault.Break = func(ctx context.Context, lab *Lab, _ func([]byte) error) error { return restart(ctx, lab, from, to) }
	fault.Mend = func(ctx context.Context, lab *Lab, _ []byte) error { return restart(ctx, lab, to, from) }
	return fault
}

// restart replaces a word in Traefik's configuration and starts it anew.
func restart(ctx context.Context, lab *Lab, from, to string) error {
	path := ingress.TraefikFile(lab.Dir)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Contains(content, []byte(from)) && !bytes.Contains(content, []byte(to)) {
		return fmt.Errorf("%s holds neither %q nor %q", path, from, to)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(content, []byte(from), []byte(to)), 0o644); err != nil {
		return err
	}
	record, running := lab.Supervisor.Find(hubserver.Traefik)
	if !running {
		return nil // `lab up` starts it, with a file of its own
	}
	if err := lab.Supervisor.Stop(hubserver.Traefik, stopGrace); err != nil {
		return err
	}
	if err := lab.Supervisor.Start(ctx, process.Spec{Name: hubserver.Traefik, Command: record.Command}); err != nil {
		return err
	}
	return process.Until(ctx, func(ctx context.Context) error { return ingress.Ready(ctx, lab.Dir) })
}

// frontProcess is the name of the proxy in front of the ingress controller.
const frontProcess = "front"

// withFront completes a fault that is a proxy between the load balancer's address and the
// ingress controller.
func withFront(fault Fault, options func(*Lab) []string) Fault {
	fault.Break = func(ctx context.Context, lab *Lab, _ func([]byte) error) error {
		command := append([]string{lab.Dir.Bin("lab"), "serve", "front", "--to", topology.Nodes()[0].IP}, options(lab)...)
		err := lab.Supervisor.Start(ctx, process.Spec{Name: frontProcess, Command: command, Ready: func(ctx context.Context) error {
			connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(topology.HostIP, strconv.Itoa(front.HTTPSPort)))
			if err != nil {
				return err
			}
			return connection.Close()
		}})
		if err != nil {
			return err
		}
		return lead(ctx, lab, ingress.Backend{Endpoints: map[string]string{"": topology.HostIP}, HTTP: front.HTTPPort, HTTPS: front.HTTPSPort})
	}
	fault.Mend = func(ctx context.Context, lab *Lab, _ []byte) error {
		if err := lead(ctx, lab, ingress.Own(lab.Dir.Full())); err != nil {
			return err
		}
		return lab.Supervisor.Stop(frontProcess, stopGrace)
	}
	return fault
}

// lead points the load balancer to a backend and waits until it leads there.
func lead(ctx context.Context, lab *Lab, backend ingress.Backend) error {
	cluster, err := lab.Cluster()
	if err != nil {
		return err
	}
	if err := ingress.Publish(ctx, cluster, backend); err != nil {
		return err
	}
	if err := process.Until(ctx, func(ctx context.Context) error { return ingress.Ready(ctx, lab.Dir) }); err != nil {
		return err
	}
	// Both ways show the same certificate: kube-proxy is given its second.
	return settle(ctx)
}
