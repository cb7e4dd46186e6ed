package storage

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// pairWait bounds each step of two pods that wait for one another.
	pairWait = 45 * time.Second
	// together is how long they must have run at the same time for their not meeting to
	// mean anything: an image that a node pulls for minutes says nothing of the storage.
	together = 15 * time.Second
)

// sharing is what two pods found that used one volume at the same time.
type sharing struct {
	*claimed
	storageClass *storagev1.StorageClass
	halves       [2]outcome[probe.PairResult]
	// alone is why they were on one node, "" where they were on two.
	alone string
}

var _ = check.Subsection("6.1", func() {
	check.Chain("a volume that two pods share", func() {
		var s *sharing
		ready := check.Prepare("6.1.4.2", func(ctx context.Context, kit *throwaway.Kit, a answers.StorageClass) (err error) {
			if supports(a.AccessModes, answers.ReadWriteMany) || check.Answers().StorageQuotas.Shared != nil {
				s, err = share(ctx, kit, a)
			}
			return err
		})

		check.Item("6.1.4.2", func(_ context.Context, answered answers.StorageClass) {
			if !supports(answered.AccessModes, answers.ReadWriteMany) {
				check.NotApplicable("storageClass.accessModes does not name ReadWriteMany")
			}
			ready()
			describe(s.storageClass)
			s.requireClaim("6.2.2")
			check.NoError(s.unbound, "claim a shared volume")
			a, b := s.halves[0], s.halves[1]
			check.NoError(a.err, "use the volume from two pods at once")
			check.NoError(b.err, "use the volume from two pods at once")
			check.Evidence("nodes", []string{a.node, b.node})
			report(judgePair(a.result, b.result, overlap(a, b)))
			check.Evidence("seen by the other after ms", []float64{a.result.SeenAfter, b.result.SeenAfter})
			if s.alone != "" {
				check.Warn("both pods were on one node: "+s.alone, "no second node takes the pods",
					"run it again when there is one: volumes are hard to share between nodes, not on one")
			}
		})

		check.Item("6.2.2", func(ctx context.Context, a answers.StorageQuotas) {
			ready()
			check.Evidence("StorageClass", s.class)
			if s.tooLarge != nil {
				failRefused(s.tooLarge, "storageQuotas.shared", a.Shared.Quantity)
			}
			s.requireVolume("6.2.2", "6.1.4.2")
			proveSize(s.claimed, s.halves[0].result.Volume, s.halves[0].err, "6.1.4.2")
			proveLimits(ctx, a, s.class, s.mode)
		})
	})
})

// share gives one volume to two pods at once.
func share(ctx context.Context, kit *throwaway.Kit, a answers.StorageClass) (*sharing, error) {
	ctx, cancel := context.WithTimeout(ctx, chainTime)
	defer cancel()
	class, err := findClass(ctx, kit.Client().Kube, a.Shared())
	if err != nil {
		if a.Shared() == a.Name {
			return nil, finding.SeeItem(err, "6.1.1")
		}
		return nil, err
	}
	s := &sharing{storageClass: class}
	s.claimed = claimVolume(ctx, kit, "shared", a.Shared(), corev1.ReadWriteMany, check.Answers().StorageQuotas.Shared)
	if s.refused != nil {
		return s, nil
	}
	session := rand.String(5)
	var pods [2]*throwaway.Pod
	for i := range pods {
		if pods[i], err = kit.Pod(ctx, s.half(i, session, true)); err != nil {
			s.refused = blame(err, "two pods that use the volume")
			return s, nil
		}
	}
	s.whileBinding(ctx, func(ctx context.Context) error {
		s.meet(ctx, pods, func(i int) (*throwaway.Pod, error) { return kit.Pod(ctx, s.half(i, session, false)) })
		return firstOf(s.halves[0].err, s.halves[1].err)
	})
	return s, nil
}

// half is one of the two pods; spread keeps it away from the other one's node.
func (s *sharing) half(i int, session string, spread bool) throwaway.PodOptions {
	name := string(rune('a' + i))
	options := diskPod(name, s.claim, probe.PairOptions{Dir: dataDir, Name: name, Session: session, Wait: pairWait}.Args())
	options.Spread = spread
	return options
}

// meet waits for both pods. Where one node is all that takes them, the pod that waits for a
// second one is replaced by one that does not mind.
func (s *sharing) meet(ctx context.Context, pods [2]*throwaway.Pod, replace func(i int) (*throwaway.Pod, error)) {
	const expected = "two pods use the volume at once"
	var group errgroup.Group
	var one sync.Mutex
	for i, pod := range pods {
		group.Go(func() error {
			s.halves[i] = finish[probe.PairResult](ctx, pod, expected)
			one.Lock()
			if !nowhereElse(s.halves[i].err) || s.alone != "" {
				one.Unlock()
				return nil
			}
			s.alone = finding.As(s.halves[i].err).Found
			pod.Delete(ctx)
			second, err := replace(i)
			one.Unlock()
			if err != nil {
				s.halves[i].err = blame(err, expected)
				return nil
			}
			s.halves[i] = finish[probe.PairResult](ctx, second, expected)
			return nil
		})
	}
	group.Wait()
}

// overlap is how long both pods ran at the same time.
func overlap(a, b outcome[probe.PairResult]) time.Duration {
	start, end := a.started, a.finished
	if b.started.After(start) {
		start = b.started
	}
	if b.finished.Before(end) {
		end = b.finished
	}
	return end.Sub(start)
}

func supports(modes []answers.AccessMode, mode answers.AccessMode) bool {
	return slices.Contains(modes, mode)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
