package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"

	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/ingress"
	"aiv.internal/conformance/cmd/lab/network"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/topology"
)

// noVIP is an address of MetalLB's that it has given to nobody.
const noVIP = "10.64.0.109"

// ingressFaults are the defects of the load balancer and the ingress controller.
func ingressFaults() []Fault {
	return []Fault{
		{
			Name:        "vip-closed",
			Description: "nothing serves behind the load balancer: connections to its port 443 are refused",
			Failed:      []string{"2.2.1", "2.3.4.1"},
			May:         without(vipItems, "2.2.1", "2.3.4.1"),
			MayFail:     without(vipItems, "2.2.1", "2.3.4.1"),
			Words:       []string{"refused"},
			Break: func(ctx context.Context, lab *Lab, keep func([]byte) error) error {
				return stopProcesses(hubserver.Running(lab.Supervisor)...)(ctx, lab, keep)
			},
			Mend: func(ctx context.Context, lab *Lab, kept []byte) error {
				if err := startProcesses(ctx, lab, kept); err != nil {
					return err
				}
				return process.Until(ctx, func(ctx context.Context) error { return ingress.Ready(ctx, lab.Dir) })
			},
		},
		{
			Name:        "http-not-redirected",
			Description: "port 80 of the load balancer serves pages in the clear instead of redirecting to https",
			Failed:      []string{"2.2.1"},
			Words:       []string{"redirect"},
			Break: func(ctx context.Context, lab *Lab, _ func([]byte) error) error {
				return takeWay(ctx, lab, ingress.Way{Plain: true}, plainAnswered(true))
			},
			Mend: func(ctx context.Context, lab *Lab, _ []byte) error {
				return takeWay(ctx, lab, ingress.Way{}, plainAnswered(false))
			},
		},
		answerFault(Fault{
			Name:        "vip-otherwise",
			Description: "the answers name another address than the load balancer's, at which nothing is",
			Failed:      []string{"2.3.4.1"},
			Undecided:   []string{"2.2.1"},
			May:         append(without(vipItems, "2.2.1", "2.3.4.1"), dnsOfVIP...),
			MayFail:     append(without(vipItems, "2.2.1", "2.3.4.1"), dnsOfVIP...),
			Words:       []string{noVIP},
		}, "  vip: "+topology.VIP, "  vip: "+noVIP),
		answerFault(Fault{
			Name:        "ingress-controller-otherwise",
			Full:        true,
			Description: "the answers confirm NGINX, and the IngressClass is Traefik's",
			Failed:      []string{"2.2.2"},
			Words:       []string{"traefik.io/ingress-controller", `"traefik"`},
		}, "  controller: traefik", "  controller: nginx"),
		{
			Name:        "users-blocked",
			Description: "a firewall drops what comes from the users' network to the load balancer",
			Failed:      []string{"2.3.4.1"},
			Undecided:   []string{"2.2.1"},
			May:         without(vipItems, "2.2.1", "2.3.4.1"),
			MayFail:     without(vipItems, "2.2.1", "2.3.4.1"),
			Words:       []string{"firewall"},
			Break:       func(ctx context.Context, _ *Lab, _ func([]byte) error) error { return onNodes(ctx, noUsers+blockUsers) },
			Mend:        admitUsers,
		},
	}
}

// dnsOfVIP are the items that hold JupyterHub's name against the load balancer's address.
var dnsOfVIP = []string{"2.1.2", "2.1.3"}

// The firewall between users and the load balancer, in each node's network, as nft(8) reads it.
const (
	// To name the table first makes it, so that it can be deleted.
	noUsers    = "table ip users-firewall\ndelete table ip users-firewall\n"
	blockUsers = `table ip users-firewall {
	chain in {
		type filter hook prerouting priority raw;
		ip saddr ` + topology.HostIP + ` ip daddr ` + topology.VIP + ` tcp dport { 80, 443 } drop
	}
}
`
)

func admitUsers(ctx context.Context, _ *Lab, _ []byte) error {
	if !network.Present() { // the lab is down, and this firewall with it
		return nil
	}
	return onNodes(ctx, noUsers)
}

// onNodes runs nft with these commands in every node's network.
func onNodes(ctx context.Context, commands string) error {
	var failed []error
	for _, worker := range topology.Nodes() {
		nft := exec.CommandContext(ctx, "nsenter", "--net="+network.Namespace(worker.Name), "nft", "--file", "-")
		nft.Stdin = strings.NewReader(commands)
		if said, err := nft.CombinedOutput(); err != nil {
			failed = append(failed, fmt.Errorf("nft on %s: %w: %s", worker.Name, err, strings.TrimSpace(string(said))))
		}
	}
	return errors.Join(failed...)
}

// takeWay makes requests be treated that way, and waits until they are.
func takeWay(ctx context.Context, lab *Lab, way ingress.Way, taken func(context.Context) error) error {
	if err := ingress.Take(ctx, lab.Supervisor, way); err != nil {
		return err
	}
	return process.Until(ctx, taken)
}

// plainAnswered returns nil where port 80 answers in the clear, or redirects.
func plainAnswered(plain bool) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+topology.VIP+"/", nil)
		if err != nil {
			return err
		}
		request.Host = topology.HubHost
		transport := &http.Transport{DisableKeepAlives: true}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if redirected := response.Header.Get("Location") != ""; redirected == plain {
			return fmt.Errorf("port 80 answers %s", response.Status)
		}
		return nil
	}
}
