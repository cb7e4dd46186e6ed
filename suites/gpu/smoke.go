package gpu

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// chainTime bounds everything that is started, a little below the limit of its node in
	// Ginkgo's tree.
	chainTime = 225 * time.Second
	// jobTime bounds one smoke job from its creation on; the pull of a notebook image takes what
	// is left of chainTime.
	jobTime = 110 * time.Second
	// atOnce is how many smoke jobs run at the same time, where quotas have room for them.
	atOnce = 16
	// hangTime is how long a container must have run to be one that cannot be ended: the probe
	// gives up after 70 s, whatever hangs.
	hangTime = 80 * time.Second
	// mostHolders of the nodes that are busy are asked who holds their GPUs.
	mostHolders = 3
)

// outcome is how far a smoke job got.
type outcome int

const (
	// measured: its probe left a result, good or bad.
	measured outcome = iota
	// busy: no GPU of the node is free.
	busy
	// unplaced: no node takes it for its labels, taints or selectors.
	unplaced
	// refused: what hands a GPU to a container refused it, or hangs.
	refused
	// prevented: something that is no matter of GPUs kept it from measuring.
	prevented
)

// trial is one smoke job.
type trial struct {
	node  node
	image string
	// result is there where the outcome is measured, and else why is.
	outcome outcome
	result  probe.GPUResult
	why     *finding.Finding
	report  throwaway.Report
}

// placed tells whether the scheduler put the job's pod on its node.
func (t *trial) placed() bool { return t.report.Node != "" }

// smoke runs the job on all chosen nodes, and once more in the notebook image, where one is
// answered. Nothing of it is an error: each trial tells its own.
type smoke struct {
	kit      *throwaway.Kit
	gpu      answers.GPU
	claims   bool
	trials   []*trial
	notebook *trial
	turns    *turns
	// most is how many jobs run at the same time, and quota the ResourceQuota that says so, if any.
	most  int
	quota string
}

func newSmoke(kit *throwaway.Kit, gpu answers.GPU, claims bool, nodes []node) *smoke {
	s := &smoke{kit: kit, gpu: gpu, claims: claims, turns: &turns{}}
	for _, n := range nodes {
		s.trials = append(s.trials, &trial{node: n})
	}
	if gpu.NotebookImage != "" && len(nodes) > 0 {
		// One node must do: the image has gigabytes, and the GPUs are others'.
		s.notebook = &trial{node: nodes[0], image: gpu.NotebookImage}
	}
	return s
}

// run returns when all jobs have ended. The pods of beside run at the same time.
func (s *smoke) run(ctx context.Context, beside ...throwaway.PodOptions) {
	if len(s.trials) == 0 {
		return
	}
	s.most, s.quota = s.kit.Room(ctx, atOnce, throwaway.JobOptions{PodOptions: s.pod(s.trials[0], jobTime)}, beside...)
	var group errgroup.Group
	group.SetLimit(s.most)
	early := s.notebook != nil && s.most > 1 // else its pull would keep all others waiting
	for i, t := range s.trials {
		with := early && i == 0
		if with && t.node.allocatable > 1 {
			group.Go(func() error { s.try(ctx, s.notebook, chainTime); return nil })
		}
		group.Go(func() error {
			s.try(ctx, t, jobTime)
			if with && t.node.allocatable == 1 {
				s.try(ctx, s.notebook, chainTime) // the one GPU is free again
			}
			return nil
		})
	}
	group.Wait()
	if s.notebook != nil && !early {
		s.try(ctx, s.notebook, chainTime)
	}
	s.nameHolders(ctx)
}

// try runs one job. That it is refused says nothing of the next ones: a quota, a webhook or
// the API server may be so for a moment, or for this node.
func (s *smoke) try(ctx context.Context, t *trial, limit time.Duration) {
	expected := fmt.Sprintf("the CUDA smoke job runs on node %s", t.node.name)
	var ran time.Duration
	err := s.turns.take(ctx, func(accepted func()) (err error) {
		ran, err = s.once(ctx, t, limit, accepted)
		return err
	})
	if err != nil {
		t.outcome, t.why = classify(err, expected, s.gpu, ran)
		if ctx.Err() != nil && t.outcome == prevented && s.quota != "" {
			t.why.Why = fmt.Sprintf("ResourceQuota %s has room for %d such jobs at a time, and so there was no time for all nodes", s.quota, s.most)
			t.why.Do = "raise the quota, or answer a smaller gpu.maxNodes"
		}
		return
	}
	if t.result, err = probe.Decode[probe.GPUResult](t.report.Message); err != nil || len(t.result.Stages) == 0 {
		t.outcome = prevented
		t.why = noResult(expected, err, t.report.ExitCode)
	}
}

// once creates one job, waits for its end and removes it, so that it neither waits for a GPU
// any more nor counts in a quota. It returns for how long at least its container ran.
func (s *smoke) once(ctx context.Context, t *trial, limit time.Duration, accepted func()) (ran time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	job, err := s.kit.Job(ctx, throwaway.JobOptions{PodOptions: s.pod(t, limit)})
	if err != nil {
		return 0, err
	}
	accepted()
	// What could not be removed is, by the cleanup of the check, which says so.
	defer func() { _ = job.Release(context.WithoutCancel(ctx)) }()
	if err = job.Running(ctx); err == nil || throwaway.CauseOf(err) == throwaway.EndedEarly {
		began := time.Now() // by our own clock: the node's may be another
		t.report, err = job.Finished(ctx)
		ran = time.Since(began)
	}
	t.report.Node = job.Node()
	return ran, err
}

// noResult words the end of a probe that said nothing.
func noResult(expected string, err error, exitCode int) *finding.Finding {
	found := fmt.Sprintf("the probe ended with exit code %d and named no stage", exitCode)
	if err != nil {
		found = fmt.Sprintf("%v, exit code %d", err, exitCode)
	}
	return finding.NotDecided(expected, found, "the image holds another probe than this runner's, or it could not run",
		"see that runner.image is of the runner's version").Because(err)
}

// pod is what a user's notebook with one GPU is, but for its size.
func (s *smoke) pod(t *trial, limit time.Duration) throwaway.PodOptions {
	options := gpuPod("smoke", s.gpu, t.node)
	options.Args = probe.GPUOptions{Expect: 1, Memory: s.gpu.TestBytes()}.Args()
	options.Env = []corev1.EnvVar{capabilities}
	options.Deadline = limit
	if t.image != "" {
		options.Name, options.Image, options.CopyProbe = "notebook", t.image, true
	}
	if s.claims {
		options.DeviceClass, options.DeviceCount = s.gpu.DeviceClass, 1
	} else {
		options.Resources.Limits[corev1.ResourceName(s.gpu.Resource())] = resource.MustParse("1")
	}
	return options
}

// capabilities asks NVIDIA's container toolkit for libcuda and NVML, and no more
// (NVIDIA Container Toolkit, "Driver capabilities").
var capabilities = corev1.EnvVar{Name: "NVIDIA_DRIVER_CAPABILITIES", Value: "compute,utility"}

// gpuPod is a pod that may go to the GPU node by the answered labels and taints. A node that
// lacks the labels is tried without them: that they are missing is another item's failure.
func gpuPod(name string, gpu answers.GPU, n node) throwaway.PodOptions {
	options := throwaway.PodOptions{
		Name: name, OnNode: n.name, RuntimeClass: gpu.RuntimeClass, Tolerations: tolerationsFor(gpu.Taints),
		// A CUDA context alone takes hundreds of MiB of the host's memory.
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		},
	}
	if len(n.unlabelled) == 0 {
		options.NodeSelector = gpu.NodeSelector
	}
	return options
}

// all are the jobs, the one in the notebook image first.
func (s *smoke) all() []*trial {
	if s.notebook == nil {
		return s.trials
	}
	return append([]*trial{s.notebook}, s.trials...)
}

// nameHolders adds to what busy nodes found who holds their GPUs.
func (s *smoke) nameHolders(ctx context.Context) {
	asked := 0
	for _, t := range s.all() {
		if t.outcome != busy || s.claims || asked == mostHolders {
			continue
		}
		asked++
		t.why.Found += "; " + holders(ctx, s.kit.Client().Kube, s.kit.Namespace(), t.node.name, s.gpu.Resource())
	}
}

// classify says what it means that a smoke job was kept from measuring, and words it. ran is for
// how long its container ran at least.
func classify(err error, expected string, gpu answers.GPU, ran time.Duration) (outcome, *finding.Finding) {
	f := *kubeerr.FromAPI(err, expected)
	f.Expected = expected
	outcome := outcomeOf(throwaway.CauseOf(err), f, gpu.Resource(), ran)
	switch outcome {
	case busy:
		f.Why, f.Do = "all GPUs of the node are taken at the moment", "run it again when one is free"
	case refused:
		f.Undecided = false
		if throwaway.CauseOf(err) == throwaway.NoneSeen {
			f.Why = "the driver hangs so that not even the kernel can end the process that waits for it"
			f.Do = "see the node's kernel log for Xid messages, take the node out of service (kubectl cordon) and restart it"
		}
	}
	if outcome == busy || outcome == prevented {
		f.Undecided = true
	}
	if f.Do == "" {
		f.Do = "see the message, then run it again"
	}
	return outcome, &f
}

// outcomeOf sorts the causes for which a job does not measure. Those that are about devices and
// runtimes are what the job is there to find.
func outcomeOf(cause throwaway.Cause, f finding.Finding, resource string, ran time.Duration) outcome {
	switch cause {
	case throwaway.NoRoom:
		// Another resource may be short as well; with a GPU free, the job would still wait.
		if strings.Contains(f.Found, "Insufficient "+resource) || strings.Contains(f.Found, "claim") {
			return busy
		}
	case throwaway.Unschedulable:
		return unplaced
	case throwaway.NoRuntimeClass, throwaway.NoRuntimeHandler, throwaway.DeviceNotGiven, throwaway.DeviceNotPrepared:
		return refused
	case throwaway.DeviceRefused:
		if f.Undecided {
			return busy
		}
		return refused
	case throwaway.NoneSeen:
		// The probe ends by itself what hangs: one that still runs cannot be ended.
		if ran >= hangTime {
			return refused
		}
	}
	return prevented
}
