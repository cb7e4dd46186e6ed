package throwaway

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// Pod is a throwaway pod with one container.
type Pod struct {
	kit  *Kit
	last *corev1.Pod // as the API server returned it last
}

// Report is how a pod ended.
type Report struct {
	// ExitCode is the container's; a program's own failure is no error of Finished.
	ExitCode int
	// Message is what the container wrote to its termination log, at most 4 KiB.
	Message []byte
	// Node is where it ran.
	Node              string
	Started, Finished time.Time
	// ImageID is the digest that really ran.
	ImageID string
}

// Pod creates a pod and registers its deletion. What keeps it from being created (a missing
// right, quota, admission) is a finding.
func (k *Kit) Pod(ctx context.Context, options PodOptions) (*Pod, error) {
	pod := k.newPod(options)
	if err := k.run.mayCreate("pod " + pod.Name); err != nil {
		return nil, err
	}
	if pod.Spec.Containers[0].Image == "" {
		return nil, finding.NotDecided("an image that holds the probe", "none is answered", "",
			"set runner.image in the answers file, or give --image")
	}
	if err := fitsRestricted(pod); err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	pods := k.client.Kube.CoreV1().Pods(k.Namespace())
	k.deleteAfter("pod", pod.Name, pods.Delete)
	created, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	if kubeerr.ReasonOf(err) == kubeerr.LimitRange && k.fitLimitRanges(ctx, pod) {
		created, err = pods.Create(ctx, pod, metav1.CreateOptions{})
	}
	if err != nil {
		return nil, kubeerr.FromAPI(err, "create the throwaway pod "+pod.Name)
	}
	return &Pod{kit: k, last: created}, nil
}

// Name returns the pod's name.
func (p *Pod) Name() string { return p.last.Name }

// Node returns the name of the node that the pod was put on, empty before that.
func (p *Pod) Node() string { return p.last.Spec.NodeName }

// IP returns the pod's address, empty before it has one.
func (p *Pod) IP() string { return p.last.Status.PodIP }

// Running waits until the container has started. A container that has ended with 0 by then
// has run; one that ended otherwise is a finding.
func (p *Pod) Running(ctx context.Context) error {
	expected := fmt.Sprintf("pod %s runs", p.Name())
	return p.wait(ctx, expected, func(pod *corev1.Pod) (bool, error) {
		if ended := terminated(pod); ended != nil && ended.ExitCode != 0 {
			s := &symptom{cause: EndedEarly, text: fmt.Sprintf("exit code %d: %s", ended.ExitCode, ended.Message),
				why: "its program ended at once", do: "see the message"}
			return false, s.finding(expected)
		}
		return running(pod) || pod.Status.Phase == corev1.PodSucceeded, nil
	})
}

// Finished waits until the container has ended, whatever its exit code.
func (p *Pod) Finished(ctx context.Context) (Report, error) {
	err := p.wait(ctx, fmt.Sprintf("pod %s runs to its end", p.Name()), func(pod *corev1.Pod) (bool, error) {
		return terminated(pod) != nil, nil
	})
	if err != nil {
		return Report{}, err
	}
	ended := terminated(p.last)
	return Report{
		ExitCode: int(ended.ExitCode), Message: []byte(ended.Message), Node: p.Node(),
		Started: ended.StartedAt.Time, Finished: ended.FinishedAt.Time,
		ImageID: p.last.Status.ContainerStatuses[0].ImageID,
	}, nil
}

// Delete asks for the pod's deletion and does not wait for it.
func (p *Pod) Delete(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return deleted(p.kit.client.Kube.CoreV1().Pods(p.last.Namespace).Delete(ctx, p.Name(), metav1.DeleteOptions{}), "pod", p.Name())
}

// Gone waits until the pod is no more, its container stopped and its volumes unmounted.
func (p *Pod) Gone(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	var err error
	p.last, err = follow(ctx, p.target(), p.last, func(_ context.Context, _ *corev1.Pod, gone bool) (bool, time.Duration, error) {
		return gone, 0, nil
	})
	return p.ended(ctx, err, fmt.Sprintf("pod %s is gone after its deletion", p.Name()))
}

func (p *Pod) target() target[*corev1.Pod] {
	pods := p.kit.client.Kube.CoreV1().Pods(p.last.Namespace)
	return target[*corev1.Pod]{kind: "pods", name: p.last.Name, get: pods.Get, watch: pods.Watch}
}

// wait follows the pod until reached says so, a symptom has worn out its grace, or ctx ends.
func (p *Pod) wait(ctx context.Context, expected string, reached func(*corev1.Pod) (bool, error)) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	doctor := newPodDoctor(p.kit.client, time.Now())
	var err error
	p.last, err = follow(ctx, p.target(), p.last, func(ctx context.Context, pod *corev1.Pod, gone bool) (bool, time.Duration, error) {
		if gone {
			s := &symptom{cause: DeletedMeanwhile, text: describePod(pod), undecided: true,
				why: "someone deleted the pod while the check waited for it", do: "run again; see the audit log for who did"}
			return false, 0, s.finding(expected)
		}
		if s := endSymptom(pod); s != nil {
			return false, 0, s.finding(expected)
		}
		if done, err := reached(pod); done || err != nil {
			return done, 0, err
		}
		s, again := doctor.examine(ctx, pod, time.Now())
		if s != nil {
			return false, 0, s.finding(expected)
		}
		return false, again, nil
	})
	return p.ended(ctx, err, expected)
}

// ended words the end of a wait; nil stays nil.
func (p *Pod) ended(ctx context.Context, err error, expected string) error {
	if err == nil || finding.As(err) != nil {
		return err
	}
	if kubeerr.ReasonOf(err) != kubeerr.Interrupted {
		return kubeerr.FromAPI(err, expected)
	}
	// The wait's own time is over: what explains it is read in a little extra time.
	extra, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
	defer cancel()
	words := lastWords(allEvents(extra, p.kit.client, p.last))
	return timedOut(ctx, expected, describePod(p.last), words)
}

// timedOut is the finding of a wait that found no final reason.
func timedOut(ctx context.Context, expected, seen, words string) error {
	if words != "" {
		words = "; events: " + words
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return finding.NotDecided(expected, "interrupted; last seen: "+seen+words, "the run was stopped", "run it again").Because(ctx.Err())
	}
	return finding.Failed(expected, "not in time; last seen: "+seen+words, "",
		"see the events; if it is only slow, raise --timeout").Because(errors.Join(ctx.Err(), &symptom{cause: NoneSeen, text: seen}))
}
