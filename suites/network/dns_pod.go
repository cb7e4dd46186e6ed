package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

// resolveLimit bounds a pod that resolves a name.
const resolveLimit = 90 * time.Second

// askPod resolves the name in a throwaway pod, as every program there does.
func askPod(ctx context.Context, kit *throwaway.Kit, name string) (view, error) {
	expected := "a pod resolves " + name
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	pod, err := kit.Pod(ctx, throwaway.PodOptions{Name: "dns", Args: []string{"dns", name}, Deadline: resolveLimit})
	if err != nil {
		return view{}, notRun(err, expected)
	}
	report, err := pod.Finished(ctx)
	if err != nil {
		return view{}, notRun(err, expected)
	}
	result, err := probe.Decode[probe.Resolution](report.Message)
	if report.ExitCode != 0 || err != nil {
		return view{}, finding.NotDecided(expected, fmt.Sprintf("the probe could not measure: exit code %d, %s", report.ExitCode, report.Message),
			"the image that holds the probe is of another version than the runner", "set runner.image to this version's").Because(err)
	}
	return podView(result, report.Node), nil
}

// podView is what the pod's resolver said.
func podView(result probe.Resolution, node string) view {
	v := view{who: "the resolver of a pod on node " + node}
	switch {
	case result.Trouble == nil:
	case result.Trouble.Kind == probe.NoSuchHost:
		v.denied = dns.RcodeToString[dns.RcodeNameError]
	default:
		v.err = errors.New(result.Trouble.Error())
	}
	for _, text := range result.Addresses {
		if address, err := netip.ParseAddr(text); err == nil {
			v.add(records{addresses: []netip.Addr{address.Unmap()}})
		}
	}
	return v
}
