package throwaway

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"aiv.internal/conformance/framework/kubeerr"
)

func TestRoomInQuotas(t *testing.T) {
	gpu := PodOptions{Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
		"nvidia.com/gpu": resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")}}}
	claiming := PodOptions{DeviceClass: "gpu.nvidia.com", DeviceCount: 2}
	amounts := func(name, amount string) map[string]any { return map[string]any{name: amount} }
	quota := func(spec map[string]any, name, hard, used string) map[string]any {
		return map[string]any{"spec": spec, "status": map[string]any{"hard": amounts(name, hard), "used": amounts(name, used)}}
	}
	none := map[string]any{}
	scope := func(names ...any) map[string]any { return map[string]any{"scopes": names} }
	class := func(operator string) map[string]any {
		return map[string]any{"scopeSelector": map[string]any{"matchExpressions": []any{map[string]any{"scopeName": "PriorityClass", "operator": operator, "values": []any{"high"}}}}}
	}
	for name, c := range map[string]struct {
		quota map[string]any
		pod   PodOptions
		want  int
	}{
		"GPUs":                     {quota(none, "requests.nvidia.com/gpu", "8", "5"), gpu, 3},
		"none left":                {quota(none, "requests.nvidia.com/gpu", "8", "8"), gpu, 1},
		"more used than allowed":   {quota(none, "requests.nvidia.com/gpu", "2", "8"), gpu, 1},
		"plenty":                   {quota(none, "requests.nvidia.com/gpu", "100", "8"), gpu, 16},
		"another resource":         {quota(none, "requests.nvidia.com/mig-1g.5gb", "1", "1"), gpu, 16},
		"limits":                   {quota(none, "limits.nvidia.com/gpu", "4", "0"), gpu, 4},
		"memory by limits":         {quota(none, "limits.memory", "6500Mi", "1Gi"), gpu, 5},
		"memory by its short name": {quota(none, "memory", "3Gi", "0"), gpu, 3},
		"little CPU":               {quota(none, "requests.cpu", "1", "970m"), gpu, 3},
		"jobs":                     {quota(none, "count/jobs.batch", "10", "4"), gpu, 6},
		"pods":                     {quota(none, "pods", "10", "8"), gpu, 2},
		"claimed devices":          {quota(none, "gpu.nvidia.com.deviceclass.resource.k8s.io/devices", "8", "1"), claiming, 3},
		"claims of others":         {quota(none, "count/resourceclaims.resource.k8s.io", "1", "1"), gpu, 16},
		"pods with a deadline":     {quota(scope("Terminating", "NotBestEffort"), "pods", "4", "0"), gpu, 4},
		"pods without a deadline":  {quota(scope("NotTerminating"), "pods", "4", "0"), gpu, 16},
		"pods without requests":    {quota(scope("BestEffort"), "pods", "4", "0"), gpu, 16},
		"pods of a priority":       {quota(class("In"), "pods", "4", "0"), gpu, 16},
		"pods of other priorities": {quota(class("NotIn"), "pods", "4", "0"), gpu, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, client := newAPI(t)
			c.quota["metadata"] = map[string]any{"name": "tight"}
			api.objects["/api/v1/namespaces/"+namespace+"/resourcequotas/tight"] = c.quota
			k, _ := kit(begin(t, client, "r1"), "1.2.3")
			got, by := k.Room(t.Context(), 16, JobOptions{c.pod})
			if got != c.want || (by == "tight") != (c.want < 16) {
				t.Errorf("room for %d by quota %q, want %d", got, by, c.want)
			}
		})
	}
}

func TestRoomBesideAnotherPod(t *testing.T) {
	api, client := newAPI(t)
	api.objects["/api/v1/namespaces/"+namespace+"/resourcequotas/q"] = map[string]any{"metadata": map[string]any{"name": "q"},
		"status": map[string]any{"hard": map[string]any{"pods": "10"}, "used": map[string]any{"pods": "4"}}}
	k, _ := kit(begin(t, client, "r1"), "1.2.3")
	if got, _ := k.Room(t.Context(), 16, JobOptions{}, PodOptions{}, PodOptions{}); got != 4 {
		t.Errorf("room for %d beside two pods", got)
	}
	api.refuse = func(_, path string) (int, string) {
		return 403, `resourcequotas is forbidden: User "u" cannot list resource "resourcequotas" in API group "" in the namespace "n"`
	}
	if got, by := k.Room(t.Context(), 16, JobOptions{}); got != 16 || by != "" {
		t.Errorf("without the right to list quotas: %d, %q", got, by)
	}
}

// Who refused a Job's pod is told as for a pod that was refused at once.
func TestRefusedByTheControllersWords(t *testing.T) {
	s := jobEventSymptom([]corev1.Event{event("FailedCreate",
		`Error creating: pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4`, 1)})
	if err := s.finding("it runs"); CauseOf(err) != PodRefused || kubeerr.ReasonOf(err) != kubeerr.Quota {
		t.Errorf("%s, %s", CauseOf(err), kubeerr.ReasonOf(err))
	}
	if err := scheduleSymptom(corev1.PodCondition{Reason: corev1.PodReasonSchedulingGated, Message: "Scheduling is blocked due to non-empty scheduling gates"}); err.cause != HeldBack || !err.undecided || err.grace != queueGrace {
		t.Errorf("gated: %+v", err)
	}
}

func TestAReleasedJobIsGone(t *testing.T) {
	for _, keep := range []bool{false, true} {
		api, client := newAPI(t)
		j, _ := newTestJob(t, client, PodOptions{})
		j.pod.kit.run.settings.Keep = keep
		if err := j.Release(t.Context()); err != nil || (len(api.names("jobs")) == 1) != keep {
			t.Errorf("keep %v: %v, %v", keep, api.names("jobs"), err)
		}
		if deleted := strings.Contains(strings.Join(api.requests, "\n"), "DELETE"); deleted == keep {
			t.Errorf("keep %v: %v", keep, api.requests)
		}
	}
}
