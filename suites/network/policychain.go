package network

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// policyTime bounds the whole chain.
	policyTime = 220 * time.Second
	// startTime bounds a pod's start.
	startTime = 90 * time.Second
	// changeTime is how long the network may take to obey a policy. Kubernetes sets no limit;
	// network plugins take less than a second, and some seconds in a large cluster.
	changeTime = 20 * time.Second
	// holdTime is how long a closed way is looked at: it must stay closed.
	holdTime = 3 * time.Second
)

const (
	// readyPort is where pods of the chain say whether they reach what they are to reach.
	readyPort = 8090
	// proofPort is the server's, and proofName its name, as policies of JupyterHub's chart call
	// ports by their names.
	proofPort = 8080
	proofName = "proof"
)

// Roles of the chain's pods.
const (
	roleServer = "server"
	roleClient = "client"
	roleTarget = "target"
	roleSource = "source"
)

// member is one of the chain's pods, or why there is none.
type member struct {
	pod *throwaway.Pod
	err error
}

// chain makes pods that know each other, and policies for them.
type chain struct {
	kit   *throwaway.Kit
	token string
}

// provePolicies takes all pods through their proofs, each pod started as early as it can be.
func provePolicies(ctx context.Context, kit *throwaway.Kit, a answers.NetworkPolicies) (*policies, error) {
	ctx, cancel := context.WithTimeout(ctx, policyTime)
	defer cancel()
	c := chain{kit: kit, token: fmt.Sprintf("%016x", rand.Uint64())}
	isolated, excepted, sources := plan(a)
	p := &policies{sources: sources}
	var started errgroup.Group
	if isolated || excepted {
		started.Go(func() error { p.isolation.server = c.serve(ctx); return nil })
	}
	if len(sources) > 0 {
		started.Go(func() error { p.target = c.target(ctx, a.Hub(), portsOf(sources)); return nil })
		started.Go(func() error { p.selecting = selecting(ctx, kit, a.Hub()); return nil })
	}
	started.Wait()

	// The client of the first proof is also the first of those that must not reach the hub.
	doubled := doubles(sources, isolated && p.target.err == nil, ptr.Deref(a.Required, false))
	var proved errgroup.Group
	if isolated {
		proved.Go(func() error {
			if p.isolation.server.err == nil {
				p.isolation.client = c.client(ctx, p.isolation.server.pod, p.target.pod, doubled)
			}
			c.isolate(ctx, &p.isolation, *a.Required, doubled != nil)
			return nil
		})
	}
	if excepted {
		// At the same time: one closes what comes to the server, the other what goes out of it.
		proved.Go(func() error { p.exception = c.except(ctx, p.isolation.server); return nil })
	}
	for _, s := range sources {
		if s != doubled && p.target.err == nil {
			proved.Go(func() error { s.story, s.err = c.visit(ctx, s, p.target.pod); return nil })
		}
	}
	proved.Wait()
	if doubled != nil {
		doubled.story, doubled.err = p.isolation.storyOf(portOf(p.target.pod, doubled.port))
	}
	return p, ctx.Err()
}

// pod runs the probe as a member of the chain.
func (c chain) pod(ctx context.Context, role string, labels map[string]string, ports []corev1.ContainerPort, o probe.ReachOptions) (*throwaway.Pod, error) {
	o.Token, o.ReadyPort = c.token, readyPort
	all := map[string]string{throwaway.LabelRole: role}
	for key, value := range labels {
		all[key] = value
	}
	for _, port := range ports {
		o.Listen = append(o.Listen, int(port.ContainerPort))
	}
	return c.kit.Pod(ctx, throwaway.PodOptions{Name: role, Args: o.Args(), Labels: all, Ports: ports, ReadyPort: readyPort, Deadline: policyTime})
}

// serve runs the server, which also looks names up: it is ready while it finds one.
func (c chain) serve(ctx context.Context) member {
	pod, err := c.pod(ctx, roleServer, nil, []corev1.ContainerPort{{Name: proofName, ContainerPort: proofPort}},
		probe.ReachOptions{Targets: []string{probe.ReachDNS + dnsName}})
	if err == nil {
		err = within(ctx, startTime, pod.Running)
	}
	return member{pod, err}
}

// hindered tells what kept a proof from being made, such as a quota that has no room for its
// pods: that says nothing of NetworkPolicies.
func hindered(err error) error {
	if err == nil {
		return nil
	}
	return finding.Undecide(kubeerr.FromAPI(err, "see with throwaway pods what NetworkPolicies do"))
}

// within is wait, with a shorter time.
func within(ctx context.Context, limit time.Duration, wait func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return wait(ctx)
}

// turn tells whether what is waited for came in time, and after how long. An error is one that
// time does not explain.
func turn(ctx context.Context, limit time.Duration, wait func(context.Context) error) (came bool, took time.Duration, err error) {
	began := time.Now()
	err = within(ctx, limit, wait)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && throwaway.CauseOf(err) == throwaway.NoneSeen {
		return false, 0, nil
	}
	return err == nil, time.Since(began), err
}

// tell deletes a pod, which tells on its way out what it saw.
func tell(ctx context.Context, pod *throwaway.Pod) (probe.ReachResult, error) {
	if err := pod.Delete(ctx); err != nil {
		return probe.ReachResult{}, err
	}
	return heard(ctx, pod)
}

// heard waits for a pod's end and what it saw.
func heard(ctx context.Context, pod *throwaway.Pod) (result probe.ReachResult, err error) {
	err = within(ctx, startTime, func(ctx context.Context) error {
		report, err := pod.Finished(ctx)
		if err != nil {
			return err
		}
		if result, err = probe.Decode[probe.ReachResult](report.Message); err != nil {
			return finding.NotDecided("a pod that tells what it reached", err.Error(),
				"the image holds another probe than this runner's, or it could not run", "see that runner.image is of the runner's version").Because(err)
		}
		return nil
	})
	return result, err
}

// seconds renders a time for the evidence.
func seconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Millisecond)) / float64(time.Second)
}

// step says what the chain is at.
func step(format string, arguments ...any) { check.Step(format, arguments...) }
