package discover

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"aiv.internal/conformance/framework/answers"
)

// apiServer answers GET requests from a table; what is not in it is forbidden.
type apiServer map[string]any

func (s apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Path
	if mark := r.URL.Query().Get("continue"); mark != "" {
		key += "?" + mark
	}
	w.Header().Set("Content-Type", "application/json")
	answer, known := s[key]
	if !known {
		w.WriteHeader(http.StatusForbidden)
		answer = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: 403,
			Reason: metav1.StatusReasonForbidden, Message: "forbidden: User \"runner\" cannot list " + key}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s apiServer) client(t *testing.T) kubernetes.Interface {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func named(name string, annotations map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Annotations: annotations}
}

func node(name string, labels map[string]string, gpus int64, taints ...corev1.Taint) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.NodeSpec{Taints: taints},
		Status: corev1.NodeStatus{Capacity: corev1.ResourceList{"cpu": resource.MustParse("8")}}}
	if gpus > 0 {
		n.Status.Capacity["nvidia.com/gpu"] = *resource.NewQuantity(gpus, resource.DecimalSI)
	}
	return n
}

func healthy() apiServer {
	gpuLabels := map[string]string{gpuPresentLabel: "true", gpuProductLabel: "NVIDIA-A100", zoneLabel: "b"}
	gpuTaint := corev1.Taint{Key: "nvidia.com/gpu", Effect: corev1.TaintEffectNoSchedule}
	expandable := true
	return apiServer{
		"/version": version.Info{Major: "1", Minor: "36+"},
		"/api/v1/nodes": corev1.NodeList{ListMeta: metav1.ListMeta{Continue: "page2"}, Items: []corev1.Node{
			node("control", nil, 0, corev1.Taint{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}),
			node("cpu1", map[string]string{zoneLabel: "a"}, 0),
		}},
		"/api/v1/nodes?page2": corev1.NodeList{Items: []corev1.Node{
			node("gpu1", gpuLabels, 4, gpuTaint, corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoExecute}),
			node("gpu2", gpuLabels, 4, gpuTaint),
		}},
		"/apis/storage.k8s.io/v1/storageclasses": storagev1.StorageClassList{Items: []storagev1.StorageClass{
			{ObjectMeta: named("ceph-rbd", map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}), Provisioner: "rbd.csi.ceph.com", AllowVolumeExpansion: &expandable},
			{ObjectMeta: named("cephfs", nil), Provisioner: "cephfs.csi.ceph.com"},
		}},
		"/apis/networking.k8s.io/v1/ingressclasses": networkingv1.IngressClassList{Items: []networkingv1.IngressClass{
			{ObjectMeta: named("traefik", nil), Spec: networkingv1.IngressClassSpec{Controller: "traefik.io/ingress-controller"}},
		}},
		"/api": metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}},
		"/apis": metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{
			{Name: "monitoring.coreos.com", Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "monitoring.coreos.com/v1", Version: "v1"}}},
			{Name: "nvidia.com", Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "nvidia.com/v1", Version: "v1"}}},
			{Name: "resource.k8s.io", Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "resource.k8s.io/v1", Version: "v1"}}},
			{Name: "snapshot.storage.k8s.io", Versions: []metav1.GroupVersionForDiscovery{{GroupVersion: "snapshot.storage.k8s.io/v1", Version: "v1"}}},
		}},
		"/apis/monitoring.coreos.com/v1/prometheuses": map[string]any{"items": []any{map[string]any{
			"metadata": map[string]any{"name": "main", "namespace": "monitoring"},
			"spec":     map[string]any{"serviceMonitorSelector": map[string]any{"matchLabels": map[string]any{"release": "kps"}}},
		}}},
		"/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses": map[string]any{"items": []any{
			map[string]any{"metadata": map[string]any{"name": "other"}},
			map[string]any{"metadata": map[string]any{"name": "ceph-rbd", "annotations": map[string]any{"snapshot.storage.kubernetes.io/is-default-class": "true"}}},
		}},
		"/apis/node.k8s.io/v1/runtimeclasses/nvidia": nodev1.RuntimeClass{ObjectMeta: named("nvidia", nil), Handler: "nvidia"},
		"/apis/nvidia.com/v1/clusterpolicies": map[string]any{"items": []any{
			map[string]any{"metadata": map[string]any{"name": "cluster-policy", "labels": map[string]any{"app.kubernetes.io/version": "v25.3.0"}}},
		}},
		"/apis/resource.k8s.io/v1/deviceclasses": resourcev1.DeviceClassList{Items: []resourcev1.DeviceClass{
			{ObjectMeta: named("gpu.nvidia.com", nil)}, {ObjectMeta: named("nic.example.com", nil)},
			{ObjectMeta: named("compute-domain-daemon.nvidia.com", nil)},
		}},
		"/api/v1/namespaces/hub": corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "hub", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}},
		"/api/v1/namespaces/hub/resourcequotas": corev1.ResourceQuotaList{Items: []corev1.ResourceQuota{
			{Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsStorage: resource.MustParse("10Ti")}}},
			{Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsStorage: resource.MustParse("2Ti")}}},
		}},
		"/api/v1/namespaces/hub/limitranges": corev1.LimitRangeList{Items: []corev1.LimitRange{
			{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypePersistentVolumeClaim, Max: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Ti")}}}}},
		}},
		"/api/v1/namespaces/hub/serviceaccounts/default": corev1.ServiceAccount{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry-pull"}}},
		"/apis/networking.k8s.io/v1/namespaces/hub/ingresses": networkingv1.IngressList{Items: []networkingv1.Ingress{
			{Status: networkingv1.IngressStatus{LoadBalancer: networkingv1.IngressLoadBalancerStatus{Ingress: []networkingv1.IngressLoadBalancerIngress{{IP: "10.0.10.20"}}}}},
		}},
	}
}

func TestRun(t *testing.T) {
	got, warnings := Run(context.Background(), healthy().client(t), "hub")
	if len(warnings) > 0 {
		t.Errorf("warnings: %s", strings.Join(warnings, "\n"))
	}
	want := answers.Discovered{
		Version: "1.36", CPUNodes: new(1), GPUNodes: new(2), Zones: 2, Namespace: "hub",
		GPU: answers.DiscoveredGPU{ResourceName: "nvidia.com/gpu", Model: "NVIDIA-A100", PerNode: new(4),
			NodeSelector: map[string]string{gpuPresentLabel: "true"}, Taints: []string{"nvidia.com/gpu:NoSchedule"},
			OperatorVersion: "v25.3.0", RuntimeClass: "nvidia", DeviceClasses: []string{"gpu.nvidia.com"}},
		StorageClasses: []answers.DiscoveredStorageClass{
			{Name: "ceph-rbd", Provisioner: "rbd.csi.ceph.com", Default: true, Expandable: true}, {Name: "cephfs", Provisioner: "cephfs.csi.ceph.com"}},
		SnapshotClasses:  []string{"ceph-rbd", "other"},
		IngressClasses:   []answers.DiscoveredIngressClass{{Name: "traefik", Controller: "traefik.io/ingress-controller"}},
		IngressAddresses: []string{"10.0.10.20"},
		NamespaceTotal:   "2Ti", MaxClaim: "1Ti", PullSecrets: []string{"registry-pull"}, PodSecurity: "restricted",
		Prometheus: answers.DiscoveredPrometheus{Operator: new(true), Namespace: "monitoring", ReleaseName: "kps"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if _, err := answers.Parse("answers.yaml", answers.Template(got)); err != nil {
		t.Error(err)
	}
}

func TestRunWithoutAnyRight(t *testing.T) {
	got, warnings := Run(context.Background(), apiServer{}.client(t), "hub")
	if !reflect.DeepEqual(got, answers.Discovered{Namespace: "hub"}) {
		t.Errorf("found %+v", got)
	}
	if len(warnings) != 11 || !strings.Contains(warnings[1], "the nodes: these credentials may not read them") {
		t.Errorf("%d warnings:\n%s", len(warnings), strings.Join(warnings, "\n"))
	}
}

func TestRunWithoutNamespace(t *testing.T) {
	got, warnings := Run(context.Background(), healthy().client(t), "")
	if got.PodSecurity != "" || len(warnings) != 1 || !strings.Contains(warnings[0], "--namespace") {
		t.Errorf("found %+v, warned %v", got, warnings)
	}
}

func TestUnequalGPUNodes(t *testing.T) {
	server := healthy()
	server["/api/v1/nodes?page2"] = corev1.NodeList{Items: []corev1.Node{
		node("gpu1", map[string]string{gpuProductLabel: "NVIDIA-A100"}, 8),
		node("gpu2", map[string]string{gpuProductLabel: "NVIDIA-L4"}, 2),
	}}
	got, warnings := Run(context.Background(), server.client(t), "hub")
	if got.GPU.Model != "" || got.GPU.PerNode != nil || got.GPU.NodeSelector != nil || got.GPU.ResourceName != "nvidia.com/gpu" {
		t.Errorf("found %+v", got.GPU)
	}
	all := fmt.Sprint(warnings)
	for _, part := range []string{"NVIDIA-A100, NVIDIA-L4", "nodes have 2 and 8"} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is missing in %s", part, all)
		}
	}
}
