package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

// podLimit bounds the wait for the pods that pull the image.
const podLimit = 90 * time.Second

// noSuchSecret is named by the pod that must not be able to pull: with an empty list the
// service account's pull secrets would be added to it.
const noSuchSecret = "conformance-no-such-secret"

// podEnd is how a pod that pulls ended.
type podEnd struct {
	report throwaway.Report
	err    error
}

// nodePulls is what happened to two pods that pull the image at the same time.
type nodePulls struct{ with, without podEnd }

// pullOnNodes starts a pod that has the pull secret and one that has none, both with
// imagePullPolicy Always, and waits for their ends.
func pullOnNodes(ctx context.Context, kit *throwaway.Kit, image, pullSecret string) *nodePulls {
	ctx, cancel := context.WithTimeout(ctx, podLimit)
	defer cancel()
	ends := &nodePulls{}
	var both sync.WaitGroup
	for _, one := range []struct {
		name, secret string
		end          *podEnd
	}{{"pull", pullSecret, &ends.with}, {"no-secret", noSuchSecret, &ends.without}} {
		pod, err := kit.Pod(ctx, throwaway.PodOptions{
			Name: one.name, Image: image, Command: []string{command},
			PullSecrets: &[]string{one.secret}, PullPolicy: corev1.PullAlways, Deadline: podLimit,
		})
		if err != nil {
			one.end.err = err
			continue
		}
		both.Go(func() { one.end.report, one.end.err = pod.Finished(ctx) })
	}
	both.Wait()
	return ends
}

// judgeWith returns nil if the pod with the pull secret ran the image.
func (n *nodePulls) judgeWith(expected string) error {
	if n.with.err != nil {
		return pullFinding(n.with.err, expected)
	}
	if code := n.with.report.ExitCode; code != 0 {
		return finding.NotDecided(expected, fmt.Sprintf("it was pulled on node %s, but ended with exit code %d", n.with.report.Node, code),
			"the node is neither amd64 nor arm64, or its runtime forbids the program", "see the node's architecture and security profiles")
	}
	return nil
}

// judgeWithout returns nil if the pod without the pull secret was refused.
func (n *nodePulls) judgeWithout() error {
	expected := "a pod without the pull secret is refused the image"
	switch cause := throwaway.CauseOf(n.without.err); {
	case n.without.err == nil:
		return finding.Failed(expected, "it pulled the image on node "+n.without.report.Node,
			"the registry serves it to anybody, or the nodes hold credentials of their own", "switch anonymous pulls off; if the nodes have credentials on purpose, or the registry is public, say registry.public: true")
	case cause == throwaway.ImageUnauthorized, cause == throwaway.ImageNotFound:
		// A registry may hide from strangers what they may not have.
		return nil
	}
	f := *finding.As(asFinding(n.without.err, expected))
	f.Expected, f.Undecided = expected, true
	return &f
}

// pullFinding tells a refused pull, which is what the item is about, from a pod that never
// came to it.
func pullFinding(err error, expected string) error {
	f := *finding.As(asFinding(err, expected))
	f.Expected = expected
	switch throwaway.CauseOf(err) {
	case throwaway.ImageUnauthorized, throwaway.ImageNotFound, throwaway.ImageUntrusted, throwaway.ImageHostUnknown,
		throwaway.ImageCorrupt, throwaway.RegistryDown, throwaway.ImagePull, throwaway.ImageRefused:
	default:
		f.Undecided = true
	}
	return f.Because(err)
}

func asFinding(err error, expected string) error {
	if finding.As(err) != nil {
		return err
	}
	return finding.NotDecided(expected, err.Error(), "", "run it again").Because(err)
}
