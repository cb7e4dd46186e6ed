//go:build lab

// Package throwaway holds the tests of throwaway objects and of the probe on the lab, which
// must be up: what real kubelets, schedulers and provisioners say is recognised, with the
// runner's own rights, and nothing is left behind.
package throwaway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	namespace = "jupyterhub-prod"
	registry  = "registry.aiv.internal:5000"
	image     = registry + "/ml-platform/conformance:lab"
	block     = "ceph-rbd"
	shared    = "cephfs"
	// patient bounds every wait of a healthy object.
	patient = 90 * time.Second
)

// connect returns clients with the runner's own rights.
func connect(t *testing.T) throwaway.Client { return connectAs(t, "kubeconfig") }

// connectAs returns clients with the rights of one of the lab's kubeconfigs.
func connectAs(t *testing.T, kubeconfig string) throwaway.Client {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join("..", "..", ".lab", kubeconfig))
	if err != nil {
		t.Fatalf("the lab is not up (lab up): %v", err)
	}
	client, err := throwaway.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func settings(id string) throwaway.Settings {
	return throwaway.Settings{Namespace: namespace, RunID: id, Version: "test", Image: image, PullSecrets: []string{"registry-pull"}}
}

// begin starts a run that the test ends, and sees that nothing is left of it.
func begin(t *testing.T) *throwaway.Run {
	t.Helper()
	client := connect(t)
	id := fmt.Sprintf("test-%08x", rand.Uint32())
	run, err := throwaway.Begin(t.Context(), client, settings(id))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		started := time.Now()
		if err := run.End(ctx); err != nil {
			t.Errorf("end: %v", err)
		}
		t.Logf("ended in %v", time.Since(started).Round(time.Millisecond))
		nothingLeft(t, client, id)
	})
	return run
}

func nothingLeft(t *testing.T, client throwaway.Client, id string) {
	t.Helper()
	options := metav1.ListOptions{LabelSelector: throwaway.LabelRun + "=" + id}
	pods, err := client.Kube.CoreV1().Pods(namespace).List(context.Background(), options)
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("pods left: %v, %v", len(pods.Items), err)
	}
	claims, err := client.Kube.CoreV1().PersistentVolumeClaims(namespace).List(context.Background(), options)
	if err != nil || len(claims.Items) > 0 {
		t.Errorf("claims left: %v, %v", len(claims.Items), err)
	}
	jobs, err := client.Kube.BatchV1().Jobs(namespace).List(context.Background(), options)
	if err != nil || len(jobs.Items) > 0 {
		t.Errorf("jobs left: %v, %v", len(jobs.Items), err)
	}
	templates, err := client.Kube.ResourceV1().ResourceClaimTemplates(namespace).List(context.Background(), options)
	if err != nil || len(templates.Items) > 0 {
		t.Errorf("templates of claims left: %v, %v", len(templates.Items), err)
	}
	devices, err := client.Kube.ResourceV1().ResourceClaims(namespace).List(context.Background(), options)
	if err != nil || len(devices.Items) > 0 {
		t.Errorf("claims of devices left: %v, %v", len(devices.Items), err)
	}
	leases, err := client.Kube.CoordinationV1().Leases(namespace).List(context.Background(), options)
	if err != nil || len(leases.Items) > 0 {
		t.Errorf("leases left: %v, %v", len(leases.Items), err)
	}
}

// kit returns an item's kit whose cleanups run at the end of the test.
func kit(t *testing.T, run *throwaway.Run, item string) *throwaway.Kit {
	return run.Kit(item, func(f func(context.Context) error) {
		t.Cleanup(func() {
			if err := f(context.Background()); err != nil {
				t.Error(err)
			}
		})
	})
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	t.Cleanup(cancel)
	return ctx
}

// finish runs a pod of the probe to its end and returns its result.
func finish[T any](t *testing.T, ctx context.Context, pod *throwaway.Pod) (T, throwaway.Report) {
	t.Helper()
	report, err := pod.Finished(ctx)
	if err != nil {
		t.Fatal(err)
	}
	result, err := probe.Decode[T](report.Message)
	if err != nil || report.ExitCode != 0 {
		t.Fatalf("exit %d, %v", report.ExitCode, err)
	}
	return result, report
}

func jupyter(o throwaway.PodOptions) throwaway.PodOptions {
	o.UID, o.FSGroup = ptr.To(int64(1000)), ptr.To(int64(100))
	return o
}

func TestDataFollowToAnotherNode(t *testing.T) {
	t.Parallel()
	ctx, k := limited(t), kit(t, begin(t), "6.1.4.1")
	claim, err := k.Claim(ctx, throwaway.ClaimOptions{Class: block, Size: resource.MustParse("1Gi")})
	if err != nil {
		t.Fatal(err)
	}
	data := probe.DiskOptions{Dir: "/data", MiB: 16, Seed: rand.Uint64()}
	mounts := []throwaway.Mount{{Claim: claim.Name(), Path: "/data"}}
	writer, err := k.Pod(ctx, jupyter(throwaway.PodOptions{Name: "write", Args: data.Args("write"), Mounts: mounts}))
	if err != nil {
		t.Fatal(err)
	}
	wrote, report := finish[probe.DiskResult](t, ctx, writer)
	if wrote.Trouble != nil || wrote.Written == nil || wrote.Volume.GID != 100 || wrote.Volume.Type != "xfs" {
		t.Fatalf("wrote %+v (%v)", wrote, wrote.Trouble)
	}
	t.Logf("on %s: %+v", report.Node, wrote.Written)
	if err := writer.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	if err := writer.Gone(ctx); err != nil {
		t.Fatal(err)
	}
	reader, err := k.Pod(ctx, jupyter(throwaway.PodOptions{Name: "read", Args: data.Args("verify"), Mounts: mounts, AvoidNodes: []string{report.Node}}))
	if err != nil {
		t.Fatal(err)
	}
	read, second := finish[probe.DiskResult](t, ctx, reader)
	if read.Trouble != nil || !read.Verified.Match || second.Node == report.Node {
		t.Errorf("on %s: %+v %+v (%v)", second.Node, read, read.Verified, read.Trouble)
	}
}

func TestTwoNodesShareAVolumeAndItsLocks(t *testing.T) {
	t.Parallel()
	ctx, k := limited(t), kit(t, begin(t), "6.1.4.2")
	claim, err := k.Claim(ctx, throwaway.ClaimOptions{Class: shared, AccessMode: corev1.ReadWriteMany, Size: resource.MustParse("1Gi")})
	if err != nil {
		t.Fatal(err)
	}
	var pods []*throwaway.Pod
	for _, name := range []string{"a", "b"} {
		half := probe.PairOptions{Dir: "/data", Name: name, Session: "s", Wait: time.Minute}
		pod, err := k.Pod(ctx, jupyter(throwaway.PodOptions{Name: name, Args: half.Args(), Spread: true,
			Mounts: []throwaway.Mount{{Claim: claim.Name(), Path: "/data"}}}))
		if err != nil {
			t.Fatal(err)
		}
		pods = append(pods, pod)
	}
	nodes := map[string]bool{}
	for _, pod := range pods {
		result, report := finish[probe.PairResult](t, ctx, pod)
		nodes[report.Node] = true
		if result.Trouble != nil || !result.Shared || result.Locks != (probe.Locks{LockTaken: true, LockHonoured: true, LockReleased: true}) {
			t.Errorf("on %s: %+v (%v)", report.Node, result, result.Trouble)
		}
	}
	if len(nodes) != 2 {
		t.Errorf("both ran on %v", nodes)
	}
}

func TestAVolumeGrowsUnderItsPod(t *testing.T) {
	t.Parallel()
	ctx, k := limited(t), kit(t, begin(t), "6.2.3")
	before, after := resource.MustParse("1Gi"), resource.MustParse("2Gi")
	claim, err := k.Claim(ctx, throwaway.ClaimOptions{Class: block, Size: before})
	if err != nil {
		t.Fatal(err)
	}
	data := probe.DiskOptions{Dir: "/data", MiB: 4, Seed: 5, GrowBy: after.Value() - before.Value(), GrowFrom: before.Value(), GrowWait: time.Minute}
	pod, err := k.Pod(ctx, jupyter(throwaway.PodOptions{Args: data.Args("write"), Mounts: []throwaway.Mount{{Claim: claim.Name(), Path: "/data"}}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := pod.Running(ctx); err != nil {
		t.Fatal(err)
	}
	nudging, enough := context.WithCancel(ctx)
	go nudge(nudging, k.Run().Client(), pod.Name())
	err = claim.Grow(ctx, after)
	enough()
	if err != nil {
		t.Fatal(err)
	}
	if result, _ := finish[probe.DiskResult](t, ctx, pod); result.Trouble != nil || !result.Grown.OK || !result.Grown.Intact {
		t.Errorf("%+v %+v (%v)", result, result.Grown, result.Trouble)
	}
}

// nudge makes the kubelet sync a pod, which is when it sees that a volume is to grow; left
// alone it does so once in one to two minutes.
func nudge(ctx context.Context, client throwaway.Client, pod string) {
	for ticker := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case now := <-ticker.C:
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"nudged":%q}}}`, now)
			_, _ = client.Kube.CoreV1().Pods(namespace).Patch(ctx, pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		}
	}
}

// Each case is a state that cannot get better: the wait must end long before its time, with
// its cause.
func TestWaitsEndWithTheCause(t *testing.T) {
	t.Parallel()
	run := begin(t)
	none := &[]string{}
	for _, c := range []struct {
		name   string
		pod    throwaway.PodOptions
		want   throwaway.Cause
		within time.Duration
		finish bool
	}{
		{"no such tag", throwaway.PodOptions{Image: registry + "/ml-platform/conformance:none"}, throwaway.ImageNotFound, 10 * time.Second, false},
		{"no pull secret", throwaway.PodOptions{PullSecrets: none, PullPolicy: corev1.PullAlways}, throwaway.ImageUnauthorized, 10 * time.Second, false},
		{"no such registry", throwaway.PodOptions{Image: "registry.does-not-exist.internal/a/b:c"}, throwaway.ImageHostUnknown, 40 * time.Second, false},
		{"nothing listens", throwaway.PodOptions{Image: "10.64.0.1:1/a/b:c"}, throwaway.RegistryDown, 40 * time.Second, false},
		{"bad name", throwaway.PodOptions{Image: "UPPER/case"}, throwaway.ImageInvalid, 10 * time.Second, false},
		{"no such node", throwaway.PodOptions{NodeSelector: map[string]string{"colour": "red"}}, throwaway.Unschedulable, 20 * time.Second, false},
		{"no such program", throwaway.PodOptions{Image: image, Command: []string{"/does-not-exist"}}, throwaway.ContainerStart, 15 * time.Second, false},
		{"deadline", throwaway.PodOptions{Args: []string{"sleep"}, Deadline: 2 * time.Second}, throwaway.DeadlineOfPod, 25 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := limited(t)
			pod, err := kit(t, run, "1.1.1").Pod(ctx, c.pod)
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			if c.finish {
				_, err = pod.Finished(ctx)
			} else {
				err = pod.Running(ctx)
			}
			took := time.Since(started).Round(100 * time.Millisecond)
			if throwaway.CauseOf(err) != c.want || finding.As(err) == nil || took > c.within {
				t.Errorf("after %v: %v\nwant %q within %v", took, err, c.want, c.within)
			}
			t.Logf("%v: %s", took, strings.ReplaceAll(fmt.Sprint(err), "\n", " | "))
		})
	}
}

// A program's own failure is a result.
func TestExitCode(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	pod, err := kit(t, begin(t), "1.1.1").Pod(ctx, throwaway.PodOptions{Args: []string{"exit", "7"}})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := pod.Finished(ctx); err != nil || report.ExitCode != 7 || report.Node == "" || report.ImageID == "" {
		t.Errorf("%+v, %v", report, err)
	}
}

// GitLab runs a job's script through sh, with the runner on PATH.
func TestTheImageRunsScripts(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	script := `set -eo pipefail; mkdir -p build.tmp; runner version > build.tmp/log; probe exit 0; cat build.tmp/log > /dev/termination-log`
	pod, err := kit(t, begin(t), "1.1.1").Pod(ctx, throwaway.PodOptions{Image: image, Command: []string{"sh", "-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := pod.Finished(ctx); err != nil || report.ExitCode != 0 || len(report.Message) == 0 {
		t.Errorf("%+v %q, %v", report, report.Message, err)
	}
}

func TestClaimsEndWithTheCause(t *testing.T) {
	t.Parallel()
	ctx, k := limited(t), kit(t, begin(t), "6.1.1")
	claim, err := k.Claim(ctx, throwaway.ClaimOptions{Class: "no-such-class", Size: resource.MustParse("1Gi")})
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.Bound(ctx); throwaway.CauseOf(err) != throwaway.ProvisioningFailed {
		t.Errorf("got %v", err)
	}
	_, err = k.Claim(ctx, throwaway.ClaimOptions{Class: block, Size: resource.MustParse("1Pi")})
	if f := finding.As(err); f == nil || f.Undecided {
		t.Errorf("a claim over every quota: %v", err)
	}
}

// abandoned begins a run that nobody ends, as a killed one.
func abandoned(t *testing.T, client throwaway.Client) (*throwaway.Run, string) {
	t.Helper()
	id := fmt.Sprintf("killed-%08x", rand.Uint32())
	run, err := throwaway.Begin(t.Context(), client, settings(id))
	if err != nil {
		t.Fatal(err)
	}
	return run, id
}

// forgotten takes the cleanups of a killed run: they never run.
func forgotten(func(context.Context) error) {}

// A run that was killed leaves everything; the sweep removes it, volumes too.
func TestSweepAfterAKill(t *testing.T) {
	t.Parallel()
	ctx, client := limited(t), connect(t)
	run, id := abandoned(t, client)
	k := run.Kit("6.1.1", forgotten)
	claim, err := k.Claim(ctx, throwaway.ClaimOptions{Class: shared, AccessMode: corev1.ReadWriteMany, Size: resource.MustParse("1Gi")})
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.Bound(ctx); err != nil {
		t.Fatal(err)
	}
	pod, err := k.Pod(ctx, throwaway.PodOptions{Args: []string{"sleep"}, Mounts: []throwaway.Mount{{Claim: claim.Name(), Path: "/data"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pod.Running(ctx); err != nil {
		t.Fatal(err)
	}
	volume := claim.Volume()
	removed, err := throwaway.Sweep(ctx, client, namespace, throwaway.SweepOptions{RunID: id})
	if err != nil || !slices.Contains(removed, id+": pods/"+pod.Name()) || !slices.Contains(removed, id+": persistentvolumeclaims/"+claim.Name()) {
		t.Errorf("removed %v, %v", removed, err)
	}
	nothingLeft(t, client, id)
	if _, err := client.Kube.CoreV1().PersistentVolumes().Get(ctx, volume, metav1.GetOptions{}); err == nil {
		t.Errorf("volume %s is still there", volume)
	}
}
