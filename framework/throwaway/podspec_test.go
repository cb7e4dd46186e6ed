package throwaway

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// A pod is placed by the scheduler even where only one node may take it.
func TestOnNodeLeavesThePlacingToTheScheduler(t *testing.T) {
	_, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "1.2.3")
	pod := k.newPod(PodOptions{OnNode: "node2", AvoidNodes: []string{"node1"}, RuntimeClass: "nvidia"})
	terms := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 || len(terms[0].MatchFields) != 2 || pod.Spec.NodeName != "" {
		t.Fatalf("got %+v, node %q", terms, pod.Spec.NodeName)
	}
	if on := terms[0].MatchFields[1]; on.Key != "metadata.name" || on.Operator != corev1.NodeSelectorOpIn || on.Values[0] != "node2" {
		t.Errorf("got %+v", on)
	}
	if *pod.Spec.RuntimeClassName != "nvidia" || k.newPod(PodOptions{}).Spec.RuntimeClassName != nil {
		t.Error("the RuntimeClass is not the asked one")
	}
}

func TestCopiedProbeRunsInAnotherImage(t *testing.T) {
	_, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "1.2.3")
	pod := k.newPod(PodOptions{Image: "notebook:1", CopyProbe: true, Args: []string{"gpu"}, UID: ptr.To(int64(1000)),
		Mounts:    []Mount{{Claim: "c", Path: "/data"}},
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")}}})
	if err := fitsRestricted(pod); err != nil {
		t.Fatal(err)
	}
	first, second := pod.Spec.InitContainers[0], pod.Spec.Containers[0]
	if first.Image != "registry/probe:1" || strings.Join(append(first.Command, first.Args...), " ") != "/probe copy /conformance" {
		t.Errorf("init container: %+v", first)
	}
	if second.Image != "notebook:1" || second.Command[0] != "/conformance/probe" || second.Args[0] != "gpu" {
		t.Errorf("container: %+v", second)
	}
	into, from := first.VolumeMounts[0], second.VolumeMounts[1]
	if into.Name != from.Name || into.MountPath != from.MountPath || into.ReadOnly || !from.ReadOnly {
		t.Errorf("mounts: %+v, %+v", into, from)
	}
	volume := pod.Spec.Volumes[1]
	if volume.Name != into.Name || volume.EmptyDir.SizeLimit.String() != copySize {
		t.Errorf("volume: %+v", volume)
	}
	for _, amounts := range []corev1.ResourceRequirements{first.Resources, second.Resources} {
		if amounts.Limits.Cpu().String() != "200m" || amounts.Limits.Memory().String() != "128Mi" || amounts.Requests.StorageEphemeral().IsZero() {
			t.Errorf("resources: %+v", amounts)
		}
	}
	if _, taken := first.Resources.Limits["nvidia.com/gpu"]; taken {
		t.Error("the init container asks for a GPU of its own")
	}
	if limit := second.Resources.Limits["nvidia.com/gpu"]; limit.String() != "1" {
		t.Errorf("resources: %+v", second.Resources)
	}
}

// A pod that is given one of limit and request keeps it: the other would contradict it.
func TestFilledResources(t *testing.T) {
	got := filled(corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}})
	_, memory := got.Requests[corev1.ResourceMemory]
	_, cpu := got.Limits[corev1.ResourceCPU]
	if memory || cpu || got.Limits.Memory().String() != "1Gi" || got.Limits.StorageEphemeral().String() != "64Mi" {
		t.Errorf("got %+v", got)
	}
}

func TestClaimedDevices(t *testing.T) {
	api, client := newAPI(t)
	run := begin(t, client, "r1")
	k, cleanup := kit(run, "1.2.3")
	p, err := k.Pod(t.Context(), PodOptions{Name: "smoke", DeviceClass: "gpu.nvidia.com", DeviceCount: 2})
	if err != nil {
		t.Fatal(err)
	}
	if claim := p.last.Spec.ResourceClaims[0]; *claim.ResourceClaimTemplateName != p.Name() || p.last.Spec.Containers[0].Resources.Claims[0].Name != claim.Name {
		t.Errorf("pod: %+v", p.last.Spec)
	}
	template, err := client.Kube.ResourceV1().ResourceClaimTemplates(namespace).Get(t.Context(), p.Name(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if template.OwnerReferences[0].UID != run.Lease() || template.Labels[LabelRun] != "r1" || template.Spec.Labels[LabelRun] != "r1" {
		t.Errorf("metadata: %+v, of the claims: %+v", template.ObjectMeta, template.Spec.ObjectMeta)
	}
	exactly := template.Spec.Spec.Devices.Requests[0].Exactly
	if exactly.DeviceClassName != "gpu.nvidia.com" || exactly.Count != 2 || exactly.AllocationMode != resourcev1.DeviceAllocationModeExactCount {
		t.Errorf("got %+v", exactly)
	}
	cleanup(t)
	if left := append(api.names("pods"), api.names("resourceclaimtemplates")...); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What a killed run left of claims is removed: the template, and claims that their pod lost.
func TestSweepRemovesClaimsOfDevices(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "1.2.3")
	if _, err := k.Job(t.Context(), JobOptions{PodOptions{DeviceClass: "gpu.nvidia.com"}}); err != nil {
		t.Fatal(err)
	}
	api.mutex.Lock()
	api.store("ADDED", "/apis/resource.k8s.io/v1/namespaces/"+namespace+"/resourceclaims/c", map[string]any{
		"metadata": map[string]any{"name": "c", "uid": "1", "labels": map[string]any{LabelManagedBy: ManagedBy, LabelRun: "r1"}}})
	api.mutex.Unlock()
	removed, err := Sweep(t.Context(), client, namespace, SweepOptions{RunID: "r1"})
	if text := strings.Join(removed, " "); err != nil || len(removed) != 4 || !strings.Contains(text, "resourceclaims/c") || !strings.Contains(text, "resourceclaimtemplates/cf-") {
		t.Errorf("removed %v, %v", removed, err)
	}
}

// A pod that serves is waited for, and its own end ends the wait.
func TestReadyIsWhatThePodSays(t *testing.T) {
	api, client := newAPI(t)
	k, _ := kit(begin(t, client, "r1"), "2.2.3")
	if k.newPod(PodOptions{}).Spec.Containers[0].ReadinessProbe != nil {
		t.Error("a pod that serves nothing is asked whether it is ready")
	}
	pod, err := k.Pod(t.Context(), PodOptions{ReadyPort: 8080})
	if err != nil {
		t.Fatal(err)
	}
	asked := pod.last.Spec.Containers[0].ReadinessProbe
	if asked.HTTPGet.Path != "/ready" || asked.HTTPGet.Port.IntValue() != 8080 || asked.PeriodSeconds != 1 || asked.FailureThreshold != 1 {
		t.Errorf("%+v", asked)
	}
	become := func(ready string, state map[string]any) {
		api.change(podPath(pod), func(p map[string]any) {
			set(p, map[string]any{"phase": "Running", "conditions": []any{map[string]any{"type": "Ready", "status": ready}},
				"containerStatuses": []any{map[string]any{"name": containerName, "state": state}}})
		})
	}
	running := map[string]any{"running": map[string]any{}}
	become("True", running)
	if err := pod.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	become("False", running)
	if err := pod.NotReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	become("False", map[string]any{"terminated": map[string]any{"exitCode": 1, "message": "port taken"}})
	if err := pod.Ready(t.Context()); CauseOf(err) != EndedEarly {
		t.Errorf("%v", err)
	}
}
