//go:build lab

package throwaway

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	notebook = registry + "/ml-platform/notebook:lab"
	gpuNode  = "lab-node2"
)

func TestAJobRunsWhereItMustAndGoesWithItsPod(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	job, err := kit(t, begin(t), "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: throwaway.PodOptions{Args: []string{"exit", "7"}, OnNode: gpuNode}})
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	report, err := job.Finished(ctx)
	if err != nil || report.ExitCode != 7 || report.Node != gpuNode || report.ImageID == "" {
		t.Fatalf("%+v, %v", report, err)
	}
	t.Logf("finished after %v", time.Since(started).Round(time.Millisecond))
	if err := job.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if err := job.Gone(ctx); err != nil {
		t.Error(err)
	}
}

// An image that holds nothing of the suite is probed by a copy.
func TestTheProbeIsCopiedIntoAnotherImage(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	job, err := kit(t, begin(t), "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: jupyter(throwaway.PodOptions{Image: notebook, CopyProbe: true, Args: []string{"exit", "7"}})})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := job.Finished(ctx); err != nil || report.ExitCode != 7 {
		t.Errorf("%+v, %v", report, err)
	}
}

// What would keep a Job from its pod is known before the Job is there.
func TestJobsAreRefusedWithTheCause(t *testing.T) {
	t.Parallel()
	ctx, run := limited(t), begin(t)
	much := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("8Gi"), "nvidia.com/gpu": resource.MustParse("99")}
	for name, c := range map[string]struct {
		pod throwaway.PodOptions
		why string
	}{
		"quota":         {throwaway.PodOptions{Resources: corev1.ResourceRequirements{Limits: much, Requests: much}}, "ResourceQuota"},
		"runtime class": {throwaway.PodOptions{RuntimeClass: "no-such-class"}, "no RuntimeClass no-such-class"},
	} {
		_, err := kit(t, run, "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: c.pod})
		if f := finding.As(err); f == nil || f.Undecided || !strings.Contains(f.Why, c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJobsEndWithTheCause(t *testing.T) {
	t.Parallel()
	run := begin(t)
	all := corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("3")} // one more than a node has
	for _, c := range []struct {
		name      string
		pod       throwaway.PodOptions
		want      throwaway.Cause
		undecided bool
		within    time.Duration
	}{
		{"no such tag", throwaway.PodOptions{Image: registry + "/ml-platform/conformance:none"}, throwaway.ImageNotFound, false, 15 * time.Second},
		{"no such node", throwaway.PodOptions{OnNode: "no-such-node"}, throwaway.Unschedulable, false, 20 * time.Second},
		{"no free GPU", throwaway.PodOptions{Resources: corev1.ResourceRequirements{Limits: all}}, throwaway.NoRoom, true, 20 * time.Second},
		{"deadline", throwaway.PodOptions{Args: []string{"sleep"}, Deadline: 2 * time.Second}, throwaway.DeadlineOfPod, false, 30 * time.Second},
		{"nothing to copy", throwaway.PodOptions{Image: registry + "/ml-platform/conformance:none", CopyProbe: true}, throwaway.ImageNotFound, false, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := limited(t)
			job, err := kit(t, run, "1.2.3").Job(ctx, throwaway.JobOptions{PodOptions: c.pod})
			if err != nil {
				t.Fatal(err)
			}
			endsWith(t, job, c.want, c.undecided, c.within)
		})
	}
}

// endsWith waits for a Job that cannot finish.
func endsWith(t *testing.T, job *throwaway.Job, want throwaway.Cause, undecided bool, within time.Duration) {
	t.Helper()
	started := time.Now()
	_, err := job.Finished(limited(t))
	took := time.Since(started).Round(100 * time.Millisecond)
	if f := finding.As(err); throwaway.CauseOf(err) != want || f == nil || f.Undecided != undecided || took > within {
		t.Errorf("after %v: %v\nwant %q, undecided %t, within %v", took, err, want, undecided, within)
	}
	t.Logf("%v: %s", took, strings.ReplaceAll(err.Error(), "\n", " | "))
}

// A killed run's Job is removed with its pod.
func TestSweepOfAJobAfterAKill(t *testing.T) {
	t.Parallel()
	ctx, client := limited(t), connect(t)
	run, id := abandoned(t, client)
	job, err := run.Kit("1.2.3", forgotten).Job(ctx, throwaway.JobOptions{PodOptions: throwaway.PodOptions{Args: []string{"sleep"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Running(ctx); err != nil {
		t.Fatal(err)
	}
	removed, err := throwaway.Sweep(ctx, client, namespace, throwaway.SweepOptions{RunID: id})
	if err != nil || !slices.Contains(removed, id+": jobs/"+job.Name()) {
		t.Errorf("removed %v, %v", removed, err)
	}
	nothingLeft(t, client, id)
}
