package gpu

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/throwaway"
)

// jobs is an API server of which each Job's pod has ended at once, with a healthy GPU's result.
// refuse says which pods it does not take, by their node.
func jobs(t *testing.T, refuse func(node string) error) (*throwaway.Kit, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset(&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "hub", Name: "gpus"},
		Status: corev1.ResourceQuotaStatus{Hard: corev1.ResourceList{"requests.nvidia.com/gpu": resource.MustParse("2")}}})
	result, err := json.Marshal(healthy())
	if err != nil {
		t.Fatal(err)
	}
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, kruntime.Object, error) {
		pod := action.(clienttesting.CreateAction).GetObject().(*corev1.Pod)
		return true, pod, refuse(pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values[0])
	})
	client.PrependReactor("create", "jobs", func(action clienttesting.Action) (bool, kruntime.Object, error) {
		job := action.(clienttesting.CreateAction).GetObject().(*batchv1.Job)
		return false, nil, client.Tracker().Add(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "hub", Name: job.Name + "-x", UID: types.UID(job.Name), Labels: map[string]string{batchv1.JobNameLabel: job.Name}},
			Spec:       corev1.PodSpec{NodeName: "some"},
			Status: corev1.PodStatus{Phase: corev1.PodSucceeded, ContainerStatuses: []corev1.ContainerStatus{{Name: "probe",
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: string(result)}}}}},
		})
	})
	run := throwaway.Join(throwaway.Client{Kube: client}, throwaway.Settings{Namespace: "hub", RunID: "r1", Image: "probe:1", MaxAge: time.Hour}, "")
	return run.Kit("1.2.3", func(func(context.Context) error) {}), client
}

func TestARefusalSpeaksForItsNodeOnly(t *testing.T) {
	var mu sync.Mutex
	refused := map[string]int{}
	kit, client := jobs(t, func(node string) error {
		mu.Lock()
		defer mu.Unlock()
		refused[node]++
		switch {
		case node == "gpu0":
			return apierrors.NewForbidden(corev1.Resource("pods"), "x", fmt.Errorf(`admission webhook "nodes.example.com" denied the request: not gpu0`))
		case node == "gpu1":
			return apierrors.NewInternalError(fmt.Errorf("etcdserver: leader changed"))
		case node == "gpu2" && refused[node] == 1:
			return full
		}
		return nil
	})
	var nodes []node
	for i := range 6 {
		nodes = append(nodes, node{name: fmt.Sprintf("gpu%d", i), allocatable: 4})
	}
	s := newSmoke(kit, answers.GPU{NotebookImage: "notebook:1"}, false, nodes)
	s.turns.ended = time.Now() // so that gpu2's is worth another try, whoever is first
	s.run(t.Context())
	if s.most != 2 || s.quota != "gpus" {
		t.Errorf("%d at a time, by %q", s.most, s.quota)
	}
	for i, words := range []string{`webhook "nodes.example.com"`, "leader changed"} {
		if tried := s.trials[i]; tried.outcome != prevented || !tried.why.Undecided || !strings.Contains(tried.why.Found, words) {
			t.Errorf("gpu%d: %v, %v", i, tried.outcome, tried.why)
		}
	}
	for _, tried := range s.trials[2:] {
		if tried.outcome != measured || len(tried.result.Devices) != 1 || !tried.placed() {
			t.Errorf("%s: %v, %v", tried.node.name, tried.outcome, tried.why)
		}
	}
	if s.notebook.outcome != prevented {
		t.Errorf("the notebook's node is refused as well: %v", s.notebook)
	}
	if left, _ := client.BatchV1().Jobs("hub").List(t.Context(), metav1.ListOptions{}); len(left.Items) > 0 {
		t.Errorf("%d ended Jobs stay", len(left.Items))
	}
}
