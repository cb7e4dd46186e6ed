package throwaway

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	if err := k.mayRun(pod, "pod "+pod.Name); err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	if err := k.takesNoTraffic(ctx, pod); err != nil {
		return nil, err
	}
	if err := k.deviceTemplate(ctx, pod, options); err != nil {
		return nil, err
	}
	made := &Pod{kit: k, last: pod}
	k.deleteAfter("pod", pod.Name, made.settled(k.client.Kube.CoreV1().Pods(k.Namespace()).Delete))
	created, err := k.createPod(ctx, pod, "create the throwaway pod "+pod.Name)
	if err != nil {
		return nil, err
	}
	made.last = created
	return made, nil
}

// mayRun says what speaks against a pod before the API server is asked.
func (k *Kit) mayRun(pod *corev1.Pod, what string) error {
	if err := k.run.mayCreate(what); err != nil {
		return err
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if container.Image == "" {
			return finding.NotDecided("an image that holds the probe", "none is answered", "",
				"set runner.image in the answers file, or give --image")
		}
	}
	return fitsRestricted(pod)
}

// createPod creates a pod, or asks whether it could with dryRun, within the namespace's
// LimitRanges: pod is changed to fit them.
func (k *Kit) createPod(ctx context.Context, pod *corev1.Pod, doing string, dryRun ...string) (*corev1.Pod, error) {
	pods := k.client.Kube.CoreV1().Pods(k.Namespace())
	options := metav1.CreateOptions{DryRun: dryRun}
	created, err := pods.Create(ctx, pod, options)
	if kubeerr.ReasonOf(err) == kubeerr.LimitRange && k.fitLimitRanges(ctx, pod) {
		created, err = pods.Create(ctx, pod, options)
	}
	if s := runtimeClassMissing(pod, err); s != nil {
		return nil, s.finding(doing)
	}
	if err != nil {
		return nil, kubeerr.FromAPI(err, doing)
	}
	return created, nil
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
	return p.wait(ctx, fmt.Sprintf("pod %s runs", p.Name()), hasStarted)
}

// Ready waits until the pod is ready, as its ReadyPort says. A container that ends before is a
// finding.
func (p *Pod) Ready(ctx context.Context) error {
	return p.wait(ctx, fmt.Sprintf("pod %s gets ready", p.Name()), isReady)
}

// NotReady waits until a pod that was ready is not.
func (p *Pod) NotReady(ctx context.Context) error {
	return p.wait(ctx, fmt.Sprintf("pod %s is ready no more", p.Name()), func(pod *corev1.Pod) (bool, *symptom) {
		ready, ended := isReady(pod)
		return !ready && ended == nil, ended
	})
}

// goal says whether a pod has become what is waited for, and returns a symptom if it never will.
type goal func(*corev1.Pod) (bool, *symptom)

func hasStarted(pod *corev1.Pod) (bool, *symptom) {
	if ended := terminated(pod); ended != nil && ended.ExitCode != 0 {
		return false, &symptom{cause: EndedEarly, text: fmt.Sprintf("exit code %d: %s", ended.ExitCode, ended.Message),
			why: "its program ended at once", do: "see the message"}
	}
	return running(pod) || pod.Status.Phase == corev1.PodSucceeded, nil
}

func isReady(pod *corev1.Pod) (bool, *symptom) {
	if ended := terminated(pod); ended != nil {
		return false, &symptom{cause: EndedEarly, text: fmt.Sprintf("exit code %d: %s", ended.ExitCode, ended.Message),
			why: "its program ended at once", do: "see the message"}
	}
	wanted := corev1.PodReady
	if len(pod.Spec.ReadinessGates) > 0 {
		wanted = corev1.ContainersReady // the pod itself is not to get ready: see noTraffic
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == wanted && c.Status == corev1.ConditionTrue
	}), nil
}

func hasEnded(pod *corev1.Pod) (bool, *symptom) { return terminated(pod) != nil, nil }

// Finished waits until the container has ended, whatever its exit code.
func (p *Pod) Finished(ctx context.Context) (Report, error) {
	if err := p.wait(ctx, fmt.Sprintf("pod %s runs to its end", p.Name()), hasEnded); err != nil {
		return Report{}, err
	}
	return p.report(), nil
}

// report returns how the pod ended, which it has.
func (p *Pod) report() Report {
	ended := terminated(p.last)
	return Report{
		ExitCode: int(ended.ExitCode), Message: []byte(ended.Message), Node: p.Node(),
		Started: ended.StartedAt.Time, Finished: ended.FinishedAt.Time,
		ImageID: p.last.Status.ContainerStatuses[0].ImageID,
	}
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

// settleTime bounds settle.
const settleTime = 2 * time.Second

// settle waits until the phase of a pod whose container has ended says so too, which is a second
// later. The API server removes such a pod at once when it is deleted; one whose phase is still
// Running, only when the kubelet has taken it down, seconds later. A pod with a claim is left
// out: its volume is in use until the kubelet has unmounted it.
func (p *Pod) settle(ctx context.Context) {
	if terminated(p.last) == nil || len(claimsOf(p.last)) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	// Whatever comes instead, the pod is deleted then.
	p.last, _ = follow(ctx, p.target(), p.last, func(_ context.Context, pod *corev1.Pod, gone bool) (bool, time.Duration, error) {
		return gone || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed, 0, nil
	})
}

// settled is remove, after the pod has settled.
func (p *Pod) settled(remove remover) remover {
	return func(ctx context.Context, name string, options metav1.DeleteOptions) error {
		p.settle(ctx)
		return remove(ctx, name, options)
	}
}

func (p *Pod) target() target[*corev1.Pod] {
	pods := p.kit.client.Kube.CoreV1().Pods(p.last.Namespace)
	return target[*corev1.Pod]{kind: "pods", name: p.last.Name, get: pods.Get, watch: pods.Watch}
}

// wait follows the pod until reached says so, a symptom has worn out its grace, or ctx ends.
func (p *Pod) wait(ctx context.Context, expected string, reached goal) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	doctor := newPodDoctor(p.kit.client, time.Now())
	var err error
	p.last, err = follow(ctx, p.target(), p.last, func(ctx context.Context, pod *corev1.Pod, gone bool) (bool, time.Duration, error) {
		done, again, s := doctor.visit(ctx, pod, gone, reached)
		if s != nil {
			return false, 0, s.finding(expected)
		}
		return done, again, nil
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
