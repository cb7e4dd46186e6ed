package throwaway

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// JobOptions describe a throwaway Job: the template of its one pod.
type JobOptions struct {
	PodOptions
}

// Job is a throwaway Job with one pod, which is not tried again.
type Job struct {
	last *batchv1.Job // as the API server returned it last
	// pod is the Job's; before that is seen, its state is a stand-in without a UID that holds
	// the version of the API from which on to watch.
	pod *Pod
}

// Job creates a Job and registers its deletion. What would keep its pod from being created (a
// missing right, quota, admission) is a finding from a dry run: a Job would hide it.
func (k *Kit) Job(ctx context.Context, options JobOptions) (*Job, error) {
	pod := k.newPod(options.PodOptions)
	if err := k.mayRun(pod, "job "+pod.Name); err != nil {
		return nil, err
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	if _, err := k.createPod(ctx, pod, "create the pod of the throwaway job "+pod.Name, metav1.DryRunAll); err != nil {
		return nil, err
	}
	if err := k.deviceTemplate(ctx, pod, options.PodOptions); err != nil {
		return nil, err
	}
	jobs := k.client.Kube.BatchV1().Jobs(k.Namespace())
	made := &Job{pod: &Pod{kit: k, last: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace()}}}}
	k.deleteAfter("job", pod.Name, made.pod.settled(jobs.Delete))
	created, err := jobs.Create(ctx, newJob(pod, k.run.settings.MaxAge), metav1.CreateOptions{})
	if err != nil {
		return nil, kubeerr.FromAPI(err, "create the throwaway job "+pod.Name)
	}
	made.last = created
	return made, nil
}

// newJob returns the Job that makes pod once. The pod's own deadline bounds its work, the Job's
// bounds the time for which it waits for a node as well.
func newJob(pod *corev1.Pod, maxAge time.Duration) *batchv1.Job {
	seconds := int64(maxAge / time.Second)
	return &batchv1.Job{
		ObjectMeta: pod.ObjectMeta,
		Spec: batchv1.JobSpec{
			BackoffLimit:            ptr.To(int32(0)),
			ActiveDeadlineSeconds:   ptr.To(seconds),
			TTLSecondsAfterFinished: ptr.To(int32(seconds)),
			// Never a second pod beside one that is still on its way out.
			PodReplacementPolicy: ptr.To(batchv1.Failed),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels},
				Spec:       pod.Spec,
			},
		},
	}
}

// Name returns the Job's name.
func (j *Job) Name() string { return j.last.Name }

// Node returns the name of the node that the Job's pod was put on, empty before that.
func (j *Job) Node() string { return j.pod.Node() }

// Running waits until the container of the Job's pod has started, as Pod.Running does.
func (j *Job) Running(ctx context.Context) error {
	return j.wait(ctx, fmt.Sprintf("job %s runs", j.Name()), hasStarted)
}

// Finished waits until the container of the Job's pod has ended, whatever its exit code. A Job
// that gets no pod is a finding from its conditions and events.
func (j *Job) Finished(ctx context.Context) (Report, error) {
	if err := j.wait(ctx, fmt.Sprintf("job %s runs to its end", j.Name()), hasEnded); err != nil {
		return Report{}, err
	}
	return j.pod.report(), nil
}

// Delete asks for the deletion of the Job, and of its pod after it, and does not wait for it.
func (j *Job) Delete(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	jobs := j.pod.kit.client.Kube.BatchV1().Jobs(j.last.Namespace)
	return deleted(jobs.Delete(ctx, j.Name(), metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}), "job", j.Name())
}

// Release deletes a Job that has no more to tell before its check is over, so that it holds
// nothing that others, or the next one, could use. With --keep it stays.
func (j *Job) Release(ctx context.Context) error {
	if j.pod.kit.run.settings.Keep {
		return nil
	}
	j.pod.settle(ctx)
	return j.Delete(ctx)
}

// Gone waits until the Job's pod is no more, its container stopped, after its deletion.
func (j *Job) Gone(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	if j.pod.last.UID == "" {
		j.pod.last.ResourceVersion = "" // look anew: it may have been made meanwhile
	}
	err := j.follow(ctx, func(_ context.Context, pod *corev1.Pod, gone bool) (bool, time.Duration, error) {
		return gone || pod.UID == "", 0, nil
	})
	return j.ended(ctx, err, fmt.Sprintf("the pod of job %s is gone after its deletion", j.Name()))
}

// wait follows the Job's pod until reached says so, a symptom of the pod or of a Job that gets
// no pod has worn out its grace, or ctx ends.
func (j *Job) wait(ctx context.Context, expected string, reached goal) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	client := j.pod.kit.client
	forJob, forPod := newJobDoctor(client, j, time.Now()), (*podDoctor)(nil)
	err := j.follow(ctx, func(ctx context.Context, pod *corev1.Pod, gone bool) (done bool, again time.Duration, err error) {
		var s *symptom
		switch {
		case pod.UID == "":
			s, again = forJob.examine(ctx, time.Now())
		case gone || killed(pod):
			s = forJob.lostPod(ctx, pod)
		default:
			if forPod == nil {
				forPod = newPodDoctor(client, time.Now())
			}
			done, again, s = forPod.visit(ctx, pod, gone, reached)
		}
		if s != nil {
			return false, 0, s.finding(expected)
		}
		return done, again, nil
	})
	return j.ended(ctx, err, expected)
}

// follow calls look with every state of the Job's pod, first with the stand-in if there is none
// yet, by one watch.
func (j *Job) follow(ctx context.Context, look step[*corev1.Pod]) (err error) {
	t := target[*corev1.Pod]{kind: "pods", labels: batchv1.JobNameLabel + "=" + j.Name(),
		get: j.findPod, watch: j.pod.kit.client.Kube.CoreV1().Pods(j.last.Namespace).Watch}
	if j.pod.last.ResourceVersion == "" {
		if j.pod.last, _, err = reget(ctx, t, j.pod.last); err != nil {
			return err
		}
	}
	j.pod.last, err = follow(ctx, t, j.pod.last, func(ctx context.Context, pod *corev1.Pod, gone bool) (bool, time.Duration, error) {
		j.pod.last = pod // findPod must know which
		return look(ctx, pod, gone)
	})
	return err
}

// findPod returns the Job's pod, a new stand-in if none was seen yet, and else that it is gone.
func (j *Job) findPod(ctx context.Context, _ string, _ metav1.GetOptions) (*corev1.Pod, error) {
	pods, err := j.pod.kit.client.Kube.CoreV1().Pods(j.last.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + j.Name()})
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; j.pod.last.UID == "" || j.pod.last.UID == pod.UID {
			return pod, nil
		}
	}
	if j.pod.last.UID != "" {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), j.pod.Name())
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: j.last.Namespace, ResourceVersion: pods.ResourceVersion}}, nil
}

// ended words the end of a wait; nil stays nil.
func (j *Job) ended(ctx context.Context, err error, expected string) error {
	if j.pod.last.UID != "" {
		return j.pod.ended(ctx, err, expected)
	}
	if err == nil || finding.As(err) != nil {
		return err
	}
	if kubeerr.ReasonOf(err) != kubeerr.Interrupted {
		return kubeerr.FromAPI(err, expected)
	}
	extra, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
	defer cancel()
	events := eventsOf(extra, j.pod.kit.client, j.last.Namespace, "Job", j.Name(), j.last.UID)
	return timedOut(ctx, expected, "no pod yet; "+describeJob(j.last), lastWords(events))
}
