package throwaway

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
)

// JobOptions describe a throwaway Job: the template of its one pod.
type JobOptions struct {
	PodOptions
}

// Job is a throwaway Job with one pod, which is not tried again.
type Job struct {
	pod  *Pod
	last *batchv1.Job // as the API server returned it last
}

// Job creates a Job and registers its deletion. What would keep its pod from being created (a
// missing right, quota, admission) is a finding, found by a dry run before: a Job hides it.
func (k *Kit) Job(ctx context.Context, options JobOptions) (*Job, error) {
	panic("to be written")
}

// Name returns the Job's name.
func (j *Job) Name() string { return j.last.Name }

// Node returns the name of the node that the Job's pod was put on, empty before that.
func (j *Job) Node() string { return j.pod.Node() }

// Running waits until the pod's container has started, as Pod.Running does.
func (j *Job) Running(ctx context.Context) error { return j.pod.Running(ctx) }

// Finished waits until the pod's container has ended, whatever its exit code. A Job that fails
// without a pod is a finding from its events.
func (j *Job) Finished(ctx context.Context) (Report, error) { return j.pod.Finished(ctx) }

// Delete asks for the deletion of the Job and its pod, and does not wait for it.
func (j *Job) Delete(ctx context.Context) error { panic("to be written") }

// Gone waits until the Job and its pod are no more.
func (j *Job) Gone(ctx context.Context) error { panic("to be written") }
