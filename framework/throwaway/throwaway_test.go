package throwaway

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
)

const namespace = "jupyterhub-prod"

func begin(t *testing.T, client Client, id string) *Run {
	t.Helper()
	run, err := Begin(t.Context(), client, Settings{Namespace: namespace, RunID: id, Image: "registry/probe:1", PullSecrets: []string{"registry-pull"}, PriorityClass: "quiet"})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// kit returns a kit whose cleanups the test runs by calling the function.
func kit(run *Run, item string) (*Kit, func(*testing.T)) {
	var cleanups []func(context.Context) error
	k := run.Kit(item, func(f func(context.Context) error) { cleanups = append(cleanups, f) })
	return k, func(t *testing.T) {
		for _, f := range slices.Backward(cleanups) {
			if err := f(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
}

func podPath(p *Pod) string { return "/api/v1/namespaces/" + namespace + "/pods/" + p.Name() }

func set(object map[string]any, status map[string]any) { object["status"] = status }

func TestPodIsMarkedOwnedAndRestricted(t *testing.T) {
	api, client := newAPI(t)
	run := begin(t, client, "r1")
	k, cleanup := kit(run, "6.1.4.1")
	p, err := k.Pod(t.Context(), PodOptions{Name: "write", Args: []string{"disk", "write"}, UID: ptr.To(int64(1000)), FSGroup: ptr.To(int64(100)),
		Mounts: []Mount{{Claim: "c", Path: "/data"}}, AvoidNodes: []string{"node1"}, Spread: true, Deadline: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	pod := p.last
	if pod.Labels[LabelRun] != "r1" || pod.Labels[LabelItem] != "6.1.4.1" || pod.Labels[LabelManagedBy] != ManagedBy {
		t.Errorf("labels: %v", pod.Labels)
	}
	if len(pod.OwnerReferences) != 1 || pod.OwnerReferences[0].UID != run.Lease() || pod.OwnerReferences[0].Name != "conformance-r1" {
		t.Errorf("owner: %v", pod.OwnerReferences)
	}
	if *pod.Spec.ActiveDeadlineSeconds != 1800 || *pod.Spec.AutomountServiceAccountToken || *pod.Spec.EnableServiceLinks || pod.Spec.PriorityClassName != "quiet" {
		t.Errorf("spec: %+v", pod.Spec)
	}
	if security := pod.Spec.SecurityContext; *security.RunAsUser != 1000 || *security.RunAsGroup != 100 || *security.FSGroup != 100 {
		t.Errorf("security: %+v", security)
	}
	if c := pod.Spec.Containers[0]; c.Image != "registry/probe:1" || c.Command[0] != "/probe" || c.Resources.Limits.Cpu().IsZero() {
		t.Errorf("container: %+v", c)
	}
	if !strings.HasPrefix(pod.Name, "cf-6-1-4-1-write-") || pod.Spec.NodeName != "" {
		t.Errorf("name %s, node %s", pod.Name, pod.Spec.NodeName)
	}
	cleanup(t)
	if left := api.names("pods"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestPodOptionsThatDoNotFitAreRefusedHere(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "1.1.1")
	_, err := k.Pod(t.Context(), PodOptions{UID: ptr.To(int64(0))})
	if err == nil || !strings.Contains(err.Error(), "runAsUser=0") || len(api.names("pods")) != 0 {
		t.Errorf("got %v", err)
	}
}

func TestNoPullSecretsWhenAsked(t *testing.T) {
	_, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "5.1.6")
	if with := k.newPod(PodOptions{}); len(with.Spec.ImagePullSecrets) != 1 {
		t.Errorf("the run's pull secret is missing: %v", with.Spec.ImagePullSecrets)
	}
	if without := k.newPod(PodOptions{PullSecrets: &[]string{}}); len(without.Spec.ImagePullSecrets) != 0 {
		t.Errorf("got %v", without.Spec.ImagePullSecrets)
	}
}

func TestFinishedAcrossBrokenWatches(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "6.1.4.1")
	p, err := k.Pod(t.Context(), PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		api.change(podPath(p), func(pod map[string]any) { set(pod, map[string]any{"phase": "Pending"}) })
		api.breakWatches(1) // closed, and its place is too old
		api.change(podPath(p), func(pod map[string]any) {
			pod["spec"].(map[string]any)["nodeName"] = "node2"
			set(pod, map[string]any{"phase": "Succeeded", "containerStatuses": []any{map[string]any{"name": containerName, "imageID": "sha256:1",
				"state": map[string]any{"terminated": map[string]any{"exitCode": 0, "message": `{"ok":true}`}}}}})
		})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	report, err := p.Finished(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if report.Node != "node2" || string(report.Message) != `{"ok":true}` || report.ImageID != "sha256:1" {
		t.Errorf("got %+v", report)
	}
}

func TestWaitEndsAtOnceOnAFinalState(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "5.1.6")
	p, err := k.Pod(t.Context(), PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	api.change(podPath(p), func(pod map[string]any) {
		set(pod, map[string]any{"phase": "Pending", "containerStatuses": []any{map[string]any{"name": containerName,
			"state": map[string]any{"waiting": map[string]any{"reason": "ErrImagePull", "message": "registry/probe:1: not found"}}}}})
	})
	started := time.Now()
	err = p.Running(t.Context())
	if CauseOf(err) != ImageNotFound || finding.As(err) == nil || finding.As(err).Undecided {
		t.Errorf("got %v", err)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if err := p.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Gone(t.Context()); err != nil {
		t.Errorf("gone: %v", err)
	}
	if err := p.Delete(t.Context()); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestTimeOutSaysWhatWasSeen(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "6.1.1")
	p, err := k.Pod(t.Context(), PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	api.change(podPath(p), func(pod map[string]any) {
		pod["spec"].(map[string]any)["nodeName"] = "node1"
		set(pod, map[string]any{"phase": "Pending"})
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = p.Finished(ctx)
	if CauseOf(err) != NoneSeen || !strings.Contains(err.Error(), "phase Pending on node node1") {
		t.Errorf("got %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if f := finding.As(p.Running(stopped)); f == nil || !f.Undecided {
		t.Errorf("an interrupted wait is decided: %v", f)
	}
}

// A time-out is not the cluster's fault when the API server could not be asked.
func TestUnreachableMeanwhileIsUndecided(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "6.1.1")
	p, err := k.Pod(t.Context(), PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	api.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err = p.Finished(ctx)
	if f := finding.As(err); f == nil || !f.Undecided || !strings.Contains(f.Why, "nothing listens") {
		t.Errorf("got %v", err)
	}
}

func TestCreationRefused(t *testing.T) {
	for _, c := range []struct {
		name, message string
		undecided     bool
	}{
		{"right", `pods is forbidden: User "jane" cannot create resource "pods" in API group "" in the namespace "jupyterhub-prod"`, true},
		{"quota", `pods "x" is forbidden: exceeded quota: jupyterhub, requested: pods=1, used: pods=10, limited: pods=10`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, client := newAPI(t)
			k, _ := kit(begin(t, client, "r1"), "6.1.1")
			api.refuse = func(method, path string) (int, string) {
				if method == "POST" {
					return 403, c.message
				}
				return 0, ""
			}
			_, err := k.Pod(t.Context(), PodOptions{})
			if f := finding.As(err); f == nil || f.Undecided != c.undecided {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The API server's refusal of a watch does not say what was refused.
func TestMissingRightToWatchIsNamed(t *testing.T) {
	api, client := newAPI(t)
	run := begin(t, client, "r1")
	k, _ := kit(run, "6.1.1")
	p, err := k.Pod(t.Context(), PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	api.change(podPath(p), func(pod map[string]any) { metaOf(pod)["finalizers"] = []any{"x/y"} })
	api.refuse = func(method, path string) (int, string) {
		if method == "WATCH" {
			return 403, "unknown"
		}
		return 0, ""
	}
	for doing, err := range map[string]error{"wait": p.Running(t.Context()), "end": run.End(t.Context())} {
		if f := finding.As(err); f == nil || !f.Undecided || !strings.Contains(f.Why, "may not watch pods") {
			t.Errorf("%s: %v", doing, err)
		}
	}
}

func TestLimitRangeIsMet(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "6.1.1")
	api.objects["/api/v1/namespaces/"+namespace+"/limitranges/l"] = map[string]any{"metadata": map[string]any{"name": "l"}, "spec": map[string]any{
		"limits": []any{map[string]any{"type": "Container", "min": map[string]any{"cpu": "100m"}, "maxLimitRequestRatio": map[string]any{"memory": "2"}}}}}
	refused := false
	api.refuse = func(method, path string) (int, string) {
		if method == "POST" && !refused {
			refused = true
			return 403, `pods "x" is forbidden: minimum cpu usage per Container is 100m, but request is 10m`
		}
		return 0, ""
	}
	p, err := k.Pod(t.Context(), PodOptions{})
	if err != nil {
		t.Fatal(err)
	}
	resources := p.last.Spec.Containers[0].Resources
	if resources.Requests.Cpu().String() != "100m" || resources.Limits.Memory().String() != "64Mi" {
		t.Errorf("got %v", resources)
	}
}

func TestReadOnlyCreatesNothing(t *testing.T) {
	api, client := newAPI(t)
	run, err := Begin(t.Context(), client, Settings{Namespace: namespace, RunID: "r1", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	k, _ := kit(run, "6.1.1")
	_, err = k.Pod(t.Context(), PodOptions{})
	if f := finding.As(err); f == nil || !f.Undecided {
		t.Errorf("pod: %v", err)
	}
	_, err = k.Claim(t.Context(), ClaimOptions{Size: resource.MustParse("1Gi")})
	if f := finding.As(err); f == nil || !f.Undecided {
		t.Errorf("claim: %v", err)
	}
	if err := run.End(t.Context()); err != nil || len(api.requests) != 0 {
		t.Errorf("%v, requests: %v", err, api.requests)
	}
}

func TestEndRemovesAllAndOnlyItsOwn(t *testing.T) {
	api, client := newAPI(t)
	run, other := begin(t, client, "r1"), begin(t, client, "r2")
	k, _ := kit(Join(client, run.settings, run.Lease()), "6.1.1") // as another process
	if _, err := k.Pod(t.Context(), PodOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Claim(t.Context(), ClaimOptions{Size: resource.MustParse("1Gi")}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Secret(t.Context(), "s", corev1.SecretTypeOpaque, nil); err != nil {
		t.Fatal(err)
	}
	ko, _ := kit(other, "6.1.1")
	if _, err := ko.Pod(t.Context(), PodOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := run.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(api.names("pods")) != 1 || len(api.names("leases")) != 1 || len(api.names("secrets")) != 0 || len(api.names("persistentvolumeclaims")) != 0 {
		t.Errorf("left: %v", api.objects)
	}
}

// Whoever may not list one kind still removes all others.
func TestEndGoesOnWithoutARight(t *testing.T) {
	api, client := newAPI(t)
	run := begin(t, client, "r1")
	k, _ := kit(run, "6.1.1")
	if _, err := k.Pod(t.Context(), PodOptions{}); err != nil {
		t.Fatal(err)
	}
	api.refuse = func(method, path string) (int, string) {
		if strings.HasSuffix(path, "/networkpolicies") {
			return 403, `networkpolicies.networking.k8s.io is forbidden: User "jane" cannot list resource "networkpolicies" in API group "networking.k8s.io" in the namespace "jupyterhub-prod"`
		}
		return 0, ""
	}
	err := run.End(t.Context())
	if f := finding.As(err); f == nil || !f.Undecided || !strings.Contains(f.Why, "list networkpolicies.networking.k8s.io") {
		t.Errorf("got %v", err)
	}
	if left := append(api.names("pods"), api.names("leases")...); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestEndNamesWhatRemains(t *testing.T) {
	api, client := newAPI(t)
	run := begin(t, client, "r1")
	k, _ := kit(run, "6.1.1")
	c, err := k.Claim(t.Context(), ClaimOptions{Size: resource.MustParse("1Gi")})
	if err != nil {
		t.Fatal(err)
	}
	api.change("/api/v1/namespaces/"+namespace+"/persistentvolumeclaims/"+c.Name(), func(claim map[string]any) {
		metaOf(claim)["finalizers"] = []any{"kubernetes.io/pvc-protection"}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err = run.End(ctx)
	if f := finding.As(err); f == nil || !strings.Contains(f.Found, c.Name()) || !strings.Contains(f.Found, "pvc-protection") {
		t.Errorf("got %v", err)
	}
}

func TestEndWaitsForVolumes(t *testing.T) {
	api, client := newAPI(t)
	run := begin(t, client, "r1")
	k, cleanup := kit(run, "6.1.1")
	c, err := k.Claim(t.Context(), ClaimOptions{Size: resource.MustParse("1Gi")})
	if err != nil {
		t.Fatal(err)
	}
	const volume = "/api/v1/persistentvolumes/pv-1"
	api.mutex.Lock()
	api.store("ADDED", volume, map[string]any{"kind": "PersistentVolume", "apiVersion": "v1", "metadata": map[string]any{"name": "pv-1"},
		"spec": map[string]any{"persistentVolumeReclaimPolicy": "Delete"}, "status": map[string]any{"phase": "Bound"}})
	api.mutex.Unlock()
	api.change("/api/v1/namespaces/"+namespace+"/persistentvolumeclaims/"+c.Name(), func(claim map[string]any) {
		claim["spec"].(map[string]any)["volumeName"] = "pv-1"
		set(claim, map[string]any{"phase": "Bound"})
	})
	if err := c.Bound(t.Context()); err != nil {
		t.Fatal(err)
	}
	cleanup(t)
	var removed atomic.Bool
	go func() {
		time.Sleep(200 * time.Millisecond) // as the provisioner does, later
		removed.Store(true)
		api.delete(volume)
	}()
	if err := run.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !removed.Load() {
		t.Error("the volume was still there")
	}
}

func TestRetainedVolumeIsFound(t *testing.T) {
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-1"},
		Spec:   corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain},
		Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeReleased}}
	if err := retained(v); err == nil || !strings.Contains(err.Error(), "Retain") {
		t.Errorf("got %v", err)
	}
}

func TestSweep(t *testing.T) {
	api, client := newAPI(t)
	lease := func(run string) string {
		return "/apis/coordination.k8s.io/v1/namespaces/" + namespace + "/leases/conformance-" + run
	}
	for _, id := range []string{"alive", "expired", "orphan"} {
		k, _ := kit(begin(t, client, id), "6.1.1")
		if _, err := k.Pod(t.Context(), PodOptions{Name: id}); err != nil {
			t.Fatal(err)
		}
	}
	api.change(lease("expired"), func(l map[string]any) {
		l["spec"].(map[string]any)["renewTime"] = "2020-01-01T00:00:00.000000Z"
	})
	api.delete(lease("orphan"))
	removed, err := Sweep(t.Context(), client, namespace, SweepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(removed, " "); len(removed) != 3 || !strings.Contains(text, "expired: leases/conformance-expired") || !strings.Contains(text, "orphan: pods/") {
		t.Errorf("removed %v", removed)
	}
	if left := api.names("pods"); len(left) != 1 || !strings.Contains(left[0], "alive") {
		t.Errorf("left %v", left)
	}
	if _, err := Sweep(t.Context(), client, namespace, SweepOptions{RunID: "alive"}); err != nil || len(api.names("pods")) != 0 {
		t.Errorf("by name: %v, left %v", err, api.names("pods"))
	}
}

func TestDryRun(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "1.1.5.1")
	if err := k.DryRun(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "hub"}}); err != nil {
		t.Fatal(err)
	}
	if len(api.names("services")) != 0 {
		t.Error("the dry run created a service")
	}
	api.refuse = func(method, path string) (int, string) {
		return 403, `services "hub" is forbidden: violates PodSecurity "restricted:latest": x`
	}
	if err := k.DryRun(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "hub"}}); finding.As(err) == nil || finding.As(err).Undecided {
		t.Errorf("got %v", err)
	}
}
