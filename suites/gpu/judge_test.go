package gpu

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

func TestModels(t *testing.T) {
	for _, same := range [][2]string{
		{"NVIDIA A100-SXM4-80GB", "NVIDIA-A100-SXM4-80GB"},
		{"NVIDIA A100-SXM4-80GB MIG 1g.10gb", "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"},
		{"NVIDIA A100-SXM4-80GB", "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED"},
		{"NVIDIA A100-SXM4-80GB", "NVIDIA-A100-SXM4-80GB-SHARED"},
		{"NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3"},
		{"A100-SXM4-40GB", "NVIDIA-A100-SXM4-40GB"},
		{"Tesla V100-SXM2-32GB", "Tesla-V100-SXM2-32GB"},
		{"Simulated GPU (AIV lab)", "Simulated-GPU-AIV-lab"},
	} {
		if !sameModel(same[0], same[1]) {
			t.Errorf("%q and %q are one model: %q, %q", same[0], same[1], normal(same[0]), normal(same[1]))
		}
	}
	for _, other := range [][2]string{
		{"NVIDIA A100-SXM4-80GB", "NVIDIA-A100-SXM4-40GB"}, {"NVIDIA H100 80GB HBM3", "NVIDIA-H100-PCIe"}, {"NVIDIA L4", "NVIDIA-L40"}, {"", "NVIDIA-L4"},
	} {
		if sameModel(other[0], other[1]) {
			t.Errorf("%q and %q are two models", other[0], other[1])
		}
	}
}

// healthy is the result of a GPU that works.
func healthy() probe.GPUResult {
	r := probe.GPUResult{Driver: "550.54.15", CUDA: "12.4", Count: 1,
		Devices: []probe.GPUDevice{{Name: "NVIDIA A100-SXM4-80GB", UUID: "GPU-1", Memory: 80 << 30, Capability: "8.0"}},
		Rates:   &probe.GPURates{HostToDevice: 25.1, DeviceToHost: 26.2, Device: 1400, Method: "best of 5"},
		Health:  &probe.GPUHealth{Temperature: 35, ECC: "on", Persistence: true}}
	for _, name := range stages {
		r.Stages = append(r.Stages, probe.GPUStage{Name: name})
	}
	return r
}

var stages = []string{probe.StageFiles, probe.StageLibrary, probe.StageInit, probe.StageDevices, probe.StageContext, probe.StageKernel,
	probe.StageSum, probe.StageProduct, probe.StageMemory, probe.StageRates, probe.StageHealth}

// broken is a result whose stage has the trouble; those after it were not tried.
func broken(stage, kind, message string) probe.GPUResult {
	r := healthy()
	for i := range r.Stages {
		if r.Stages[i].Name == stage {
			r.Stages[i].Trouble = &probe.Trouble{Kind: kind, Message: message}
			r.Stages = r.Stages[:i+1]
			break
		}
	}
	return r
}

func TestEveryTroubleNamesItsLayer(t *testing.T) {
	if f := judge(healthy()); f != nil {
		t.Errorf("a healthy GPU: %v", f)
	}
	for _, c := range []struct {
		stage, kind string
		// words must be in what was found or in why, act in what to do.
		words     []string
		act       string
		undecided bool
	}{
		{probe.StageFiles, probe.NoDeviceFiles, []string{"container toolkit", "device plugin", `"device files"`}, "runtimeClass", false},
		{probe.StageLibrary, probe.NoDriverLibrary, []string{"container toolkit", "libcuda.so.1"}, "runtime", false},
		{probe.StageLibrary, probe.NoGlibc, []string{"image", "glibc"}, "image", true},
		{probe.StageInit, probe.DriverError, []string{"the driver", "fabric manager"}, "nvidia-smi", false},
		{probe.StageInit, probe.DriverTooOld, []string{"the driver", "older"}, "upgrade", false},
		{probe.StageInit, probe.DriverHangs, []string{"the driver", "does not answer"}, "Xid", false},
		{probe.StageInit, probe.NoDevice, []string{"device plugin", "shows no device"}, "nvidia-smi -L", false},
		{probe.StageDevices, probe.WrongDeviceCount, []string{"container toolkit", "wrong number of devices"}, "NVIDIA_VISIBLE_DEVICES", false},
		{probe.StageDevices, probe.DriverError, []string{"device plugin"}, "nvidia-smi -L", false},
		{probe.StageContext, probe.DriverError, []string{"CUDA or the driver", "context"}, "nvidia-smi", false},
		{probe.StageContext, probe.DriverCrashed, []string{"the driver", "different versions"}, "/proc/driver/nvidia/version", false},
		{probe.StageContext, probe.DeviceBusy, []string{"past Kubernetes"}, "nvidia-smi", true},
		{probe.StageMemory, probe.OutOfDeviceMemory, []string{"memory is taken"}, "gpu.testMemory", true},
		{probe.StageKernel, probe.PTXRefused, []string{"CUDA", "PTX refused"}, "driver", false},
		{probe.StageKernel, probe.DriverHangs, []string{"the driver", `"kernel"`}, "Xid", false},
		{probe.StageSum, probe.WrongResult, []string{"the GPU itself", "computes wrongly", `"sum"`}, "RMA", false},
		{probe.StageProduct, probe.WrongResult, []string{"the GPU itself", `"product"`}, "cordon", false},
		{probe.StageMemory, probe.BadMemory, []string{"the GPU itself", "does not keep"}, "RMA", false},
		{probe.StageHealth, probe.UncorrectedECC, []string{"the GPU itself", "ECC"}, "RMA", false},
		{probe.StageHealth, probe.DeviceUnhealthy, []string{"the GPU itself"}, "cordon", false},
		{probe.StageRates, probe.DriverError, []string{"GPU or its driver"}, "cordon", false},
		{probe.StageFiles, probe.Denied, []string{"container toolkit"}, "runtime", false},
		{probe.StageSum, probe.Stopped, []string{"told to end"}, "again", true},
	} {
		f := judge(broken(c.stage, c.kind, "in the driver's words"))
		name := c.stage + ", " + c.kind
		if f == nil || f.Undecided != c.undecided {
			t.Errorf("%s: %v", name, f)
			continue
		}
		for _, word := range append(c.words, "in the driver's words") {
			if !strings.Contains(f.Found+f.Why, word) {
				t.Errorf("%s lacks %q:\n%v", name, word, f)
			}
		}
		if !strings.Contains(f.Do, c.act) {
			t.Errorf("%s: to do lacks %q:\n%v", name, c.act, f)
		}
	}
}

func TestJudgeQuotesTheDriver(t *testing.T) {
	r := broken(probe.StageInit, probe.NoDevice, "no CUDA-capable device is detected")
	r.Stages[2].Call, r.Stages[2].Code = "cuInit", "CUDA_ERROR_NO_DEVICE (100)"
	r.Stages = append(r.Stages, probe.GPUStage{Name: probe.StageHealth, Trouble: &probe.Trouble{Kind: probe.UncorrectedECC, Message: "3 errors"}})
	f := judge(r)
	for _, want := range []string{"CUDA_ERROR_NO_DEVICE (100)", "cuInit", "besides, uncorrected ECC errors: 3 errors"} {
		if !strings.Contains(f.Found, want) {
			t.Errorf("%q lacks %q", f.Found, want)
		}
	}
	if f := judge(broken(probe.StageLibrary, probe.Missing, "/probe-gpu is missing")); f == nil || !f.Undecided || !strings.Contains(f.Found, "the image") {
		t.Errorf("a probe that is not whole: %v", f)
	}
	early := healthy()
	early.Stages = early.Stages[:5]
	if f := judge(early); f == nil || !f.Undecided {
		t.Errorf("a probe that ended early: %v", f)
	}
}

func TestWhatKeepsAJobFromMeasuring(t *testing.T) {
	for _, c := range []struct {
		cause     throwaway.Cause
		message   string
		undecided bool
		want      outcome
		ran       time.Duration
	}{
		{throwaway.NoRoom, "0/2 nodes are available: 1 Insufficient nvidia.com/gpu", true, busy, 0},
		{throwaway.NoRoom, "0/2 nodes are available: 1 Insufficient memory", true, prevented, 0},
		{throwaway.NoRoom, "0/2 nodes are available: 1 cannot allocate all claims", true, busy, 0},
		{throwaway.Unschedulable, "1 node(s) had untolerated taint(s)", false, unplaced, 0},
		{throwaway.NoRuntimeClass, `RuntimeClass "nvidia" not found`, false, refused, 0},
		{throwaway.NoRuntimeHandler, `no runtime for "nvidia" is configured`, false, refused, 0},
		{throwaway.DeviceNotGiven, "nvidia-container-cli: initialization error", false, refused, 0},
		{throwaway.DeviceRefused, "cannot allocate unhealthy devices", false, refused, 0},
		{throwaway.DeviceRefused, "requested number of devices unavailable", true, busy, 0},
		{throwaway.NoneSeen, "phase Running on node gpu1, container running since 2026-11-23T08:00:00Z", false, refused, 100 * time.Second},
		{throwaway.NoneSeen, "phase Running on node gpu1, container running since 2026-11-23T08:01:30Z", false, prevented, 20 * time.Second},
		{throwaway.NoneSeen, "phase Pending, init container copy-probe waiting: PodInitializing", false, prevented, 0},
		{throwaway.ImageNotFound, "registry.aiv.internal/x: not found", false, prevented, 0},
		{"", "exceeded quota: gpus, requested: requests.nvidia.com/gpu=1", false, prevented, 0},
	} {
		if got := outcomeOf(c.cause, finding.Finding{Found: c.message, Undecided: c.undecided}, "nvidia.com/gpu", c.ran); got != c.want {
			t.Errorf("%s, %s: %d, want %d", c.cause, c.message, got, c.want)
		}
	}
	if got, f := classify(errors.New("odd"), "the job runs", answers.GPU{}, 0); got != prevented || !f.Undecided || f.Do == "" || f.Expected != "the job runs" {
		t.Errorf("an unknown error: %d, %v", got, f)
	}
}

func TestMergeNamesNodesTogether(t *testing.T) {
	if merge("x", nil) != nil {
		t.Error("nothing found is no finding")
	}
	var all []told
	all = append(all, told{"busy1", finding.NotDecided("", "no GPU is free", "", "wait")})
	for i := range 30 {
		all = append(all, told{fmt.Sprintf("gpu%02d", i), finding.Failed("", "the driver is older", "old", "upgrade")})
	}
	f := merge("it works", all)
	if f.Undecided || f.Expected != "it works" || f.Do != "upgrade" ||
		f.Found != "nodes gpu00, gpu01, gpu02, gpu03, gpu04, gpu05, gpu06, gpu07, gpu08, gpu09 and 20 more: the driver is older\nnode busy1: no GPU is free" {
		t.Errorf("%v", f)
	}
	if f := merge("it works", all[:1]); !f.Undecided {
		t.Errorf("%v", f)
	}
}

func TestMIGIsConsistent(t *testing.T) {
	whole, slice := []probe.GPUDevice{{Name: "A100"}}, []probe.GPUDevice{{Name: "A100 MIG 1g.10gb", MIG: true}}
	for name, c := range map[string]struct {
		node     node
		resource string
		devices  []probe.GPUDevice
		want     string
	}{
		"whole GPUs":                     {node{product: "A100"}, "nvidia.com/gpu", whole, ""},
		"whole GPUs, strategy none":      {node{product: "A100", strategy: "none"}, "nvidia.com/gpu", whole, ""},
		"whole GPUs beside mixed":        {node{product: "A100", strategy: "mixed"}, "nvidia.com/gpu", whole, ""},
		"single":                         {node{product: "A100-MIG-1g.10gb", strategy: "single"}, "nvidia.com/gpu", slice, ""},
		"single, none partitioned":       {node{product: "A100", strategy: "single"}, "nvidia.com/gpu", whole, ""},
		"mixed":                          {node{product: "A100", strategy: "mixed"}, "nvidia.com/mig-1g.10gb", slice, ""},
		"mixed, not tried":               {node{product: "A100", strategy: "mixed"}, "nvidia.com/mig-1g.10gb", nil, ""},
		"a profile under single":         {node{product: "A100-MIG-1g.10gb", strategy: "single"}, "nvidia.com/mig-1g.10gb", nil, "mig.strategy is single"},
		"partitioned without restart":    {node{product: "A100", strategy: "none"}, "nvidia.com/gpu", slice, "the driver gives a MIG instance"},
		"single, no feature discovery":   {node{}, "nvidia.com/gpu", slice, ""},
		"single, stale label":            {node{product: "A100", strategy: "single"}, "nvidia.com/gpu", slice, "gpu.product is A100"},
		"single, MIG switched off":       {node{product: "A100-MIG-1g.10gb", strategy: "single"}, "nvidia.com/gpu", whole, "the driver gives a whole GPU"},
		"a profile, the driver has none": {node{product: "A100", strategy: "mixed"}, "nvidia.com/mig-1g.10gb", whole, "the driver gives a whole GPU"},
		"instances differ under single":  {node{product: "A100-MIG-INVALID", strategy: "single"}, "nvidia.com/gpu", nil, "MIG-INVALID"},
	} {
		f := judgeMIG(c.node, c.resource, c.devices)
		if (f == nil) != (c.want == "") || f != nil && !strings.Contains(f.Found, c.want) {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestSharing(t *testing.T) {
	for want, c := range map[string]struct {
		node     node
		resource string
	}{
		"": {node{product: "A100", replicas: 1, sharing: "none"}, "nvidia.com/gpu"},
		"shared by time-slicing, 4 pods on each GPU (no memory limit between pods)": {node{product: "A100-SHARED", replicas: 4, sharing: "time-slicing"}, "nvidia.com/gpu"},
		"shared by time slicing (no memory limit between pods)":                     {node{product: "A100"}, "nvidia.com/gpu.shared"},
		"MIG instances": {node{product: "A100", strategy: "mixed"}, "nvidia.com/mig-1g.10gb"},
	} {
		if got := c.node.shares(c.resource); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestEvidenceOfANode(t *testing.T) {
	got := describe(&trial{result: healthy()})
	for _, want := range []string{"NVIDIA A100-SXM4-80GB, 80 GiB, compute capability 8.0", "driver 550.54.15", "CUDA 12.4", "25.1 GB/s to the device", "35 °C, ECC on"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	simulated := healthy()
	simulated.Simulated = true
	if got := describe(&trial{result: simulated}); !strings.Contains(got, "simulated") {
		t.Errorf("%q does not say that it is simulated", got)
	}
}

func TestTheNotebookImageRepeatsNothing(t *testing.T) {
	ill := &trial{result: broken(probe.StageSum, probe.WrongResult, "element 4711")}
	for name, c := range map[string]struct {
		a, b *trial
		same bool
	}{
		"both well":               {&trial{result: healthy()}, &trial{result: healthy()}, false},
		"the same trouble":        {ill, &trial{result: broken(probe.StageSum, probe.WrongResult, "element 12")}, true},
		"another trouble":         {ill, &trial{result: broken(probe.StageLibrary, probe.NoGlibc, "musl")}, false},
		"only one":                {ill, &trial{result: healthy()}, false},
		"both busy":               {&trial{outcome: busy}, &trial{outcome: busy}, true},
		"both images unavailable": {&trial{outcome: prevented}, &trial{outcome: prevented}, false},
		"one busy":                {&trial{outcome: busy}, ill, false},
	} {
		if got := sameEnd(c.a, c.b); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestControl(t *testing.T) {
	two := probe.GPUResult{Count: 2, Devices: []probe.GPUDevice{{Name: "NVIDIA L4"}, {Name: "NVIDIA L4"}}}
	for name, c := range map[string]struct {
		control control
		want    []string
	}{
		"sees none":          {control{}, nil},
		"refused the start":  {control{guarded: true}, nil},
		"no driver":          {control{sees: probe.GPUResult{Stages: []probe.GPUStage{{Name: probe.StageLibrary, Trouble: &probe.Trouble{Kind: probe.NoDriverLibrary}}}}}, nil},
		"heeds the variable": {control{node: "gpu1", sees: two, plain: &probe.GPUResult{}}, []string{"node gpu1", "2 GPUs", "NVIDIA_VISIBLE_DEVICES", "when-unprivileged"}},
		"gives all":          {control{node: "gpu1", sees: two, plain: &two}, []string{"even without any variable", "every container"}},
		"second look failed": {control{node: "gpu1", sees: two, plainWhy: errors.New("full")}, []string{"could not be tried: full"}},
	} {
		f := c.control.judge()
		if (f == nil) != (c.want == nil) || f != nil && f.Undecided {
			t.Errorf("%s: %v", name, f)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(f.Error(), want) {
				t.Errorf("%s lacks %q: %v", name, want, f)
			}
		}
	}
	hanging := probe.GPUResult{Stages: []probe.GPUStage{{Name: probe.StageInit, Trouble: &probe.Trouble{Kind: probe.DriverHangs}}}}
	if f := (&control{sees: hanging}).judge(); f == nil || !f.Undecided {
		t.Errorf("a driver that hangs: %v", f)
	}
	if f := (&control{why: finding.NotDecided("", "full", "", "")}).judge(); f == nil || !f.Undecided {
		t.Errorf("a control that did not run: %v", f)
	}
}
