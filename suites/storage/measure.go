package storage

import (
	"context"
	"time"

	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// user and group are those of notebooks in the chart zero-to-jupyterhub 4.4.0
	// (values.yaml: singleuser.uid and singleuser.fsGid).
	user, group = 1000, 100
	// dataDir is where pods mount the volume.
	dataDir = "/data"
	// dataSize is how much is written and read, in MiB: enough to be more than metadata.
	dataSize = 8
)

// outcome is what a pod's probe found, or why it found nothing.
type outcome[T any] struct {
	result            T
	node              string
	started, finished time.Time
	err               error
}

// diskPod is a pod that measures the claim's volume as a user's notebook would use it.
func diskPod(name string, claim *throwaway.Claim, args []string) throwaway.PodOptions {
	return throwaway.PodOptions{
		Name: name, Args: args,
		UID: ptr.To(int64(user)), FSGroup: ptr.To(int64(group)),
		Mounts:   []throwaway.Mount{{Claim: claim.Name(), Path: dataDir}},
		Deadline: chainTime,
	}
}

// finish waits for the pod's end and reads what its probe found.
func finish[T any](ctx context.Context, pod *throwaway.Pod, expected string) outcome[T] {
	ctx, cancel := context.WithTimeout(ctx, podTime)
	defer cancel()
	var o outcome[T]
	report, err := pod.Finished(ctx)
	if err != nil {
		o.err = blame(err, expected)
		return o
	}
	o.node, o.started, o.finished = report.Node, report.Started, report.Finished
	if o.result, err = probe.Decode[T](report.Message); err != nil {
		o.err = finding.NotDecided(expected, err.Error(), "the image holds another probe than this runner's, or it could not run",
			"see that runner.image is of the runner's version").Because(err)
	}
	return o
}

func within(ctx context.Context, limit time.Duration, wait func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return wait(ctx)
}

// wanted tells whether the run checks one of the items.
func wanted(ids ...string) bool {
	for _, id := range ids {
		if check.Settings().Selected[id] {
			return true
		}
	}
	return false
}

// report ends the check with the finding, if there is one.
func report(f *finding.Finding) {
	if f != nil {
		check.NoError(f, "")
	}
}
