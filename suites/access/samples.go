package access

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
)

// The objects below are what the chart zero-to-jupyterhub 4.4.0 creates with its defaults,
// reduced to what admission, quota and limits look at. They are only ever sent as dry runs.

var (
	pods            = corev1.SchemeGroupVersion.WithResource("pods")
	services        = corev1.SchemeGroupVersion.WithResource("services")
	secrets         = corev1.SchemeGroupVersion.WithResource("secrets")
	configMaps      = corev1.SchemeGroupVersion.WithResource("configmaps")
	claims          = corev1.SchemeGroupVersion.WithResource("persistentvolumeclaims")
	ingresses       = networkingv1.SchemeGroupVersion.WithResource("ingresses")
	serviceMonitors = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"}
)

// Users and groups of the chart's containers (values.yaml: hub.containerSecurityContext,
// singleuser.uid and singleuser.fsGid).
const (
	hubUser      = 1000
	notebookUser = 1000
	usersGroup   = 100
)

// anyImage stands for the chart's images where the runner's own is not answered: a dry run
// pulls nothing, but an admission policy may look at the name.
const anyImage = "quay.io/jupyterhub/k8s-hub:4.4.0"

func meta(name, component string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"app": "jupyterhub", "release": "jupyterhub", "component": component,
		"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/component": component,
	}}
}

func pod(name, component string, user, group int64) *corev1.Pod {
	image := check.Settings().Image
	if image == "" {
		image = anyImage
	}
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")}
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: meta(name, component),
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To(user), FSGroup: ptr.To(group),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: component, Image: image,
				Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
	return p
}

func hubPod() sample {
	return sample{"the hub's pod", pods, pod("conformance-hub", "hub", hubUser, hubUser)}
}

func userPod() sample {
	p := pod("conformance-jupyter-user", "singleuser-server", notebookUser, usersGroup)
	p.Labels["hub.jupyter.org/username"] = "conformance"
	return sample{"a user's pod", pods, p}
}

func hubService() sample {
	return sample{"the hub's service", services, &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta("conformance-hub", "hub"),
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "jupyterhub", "component": "conformance-none"},
			Ports:    []corev1.ServicePort{{Name: "hub", Port: 8081, TargetPort: intstr.FromString("http")}},
		},
	}}
}

func hubSecret() sample {
	return sample{"the hub's secret", secrets, &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: meta("conformance-hub", "hub"),
		Type:       corev1.SecretTypeOpaque,
		StringData: map[string]string{"values.yaml": "{}"},
	}}
}

func hubConfigMap() sample {
	return sample{"the hub's configmap", configMaps, &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: meta("conformance-hub", "hub"),
		Data:       map[string]string{"jupyterhub_config.py": "c = get_config()\n"},
	}}
}

// homeClaim is a user's home directory of the answered class and size.
func homeClaim(a *answers.File) sample {
	size := resource.MustParse("1Gi")
	if a.StorageQuotas.PerUser != nil {
		size = a.StorageQuotas.PerUser.Quantity
	}
	claim := &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: meta("conformance-claim-user", "singleuser-storage"),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}
	if a.StorageClass.Name != "" {
		claim.Spec.StorageClassName = &a.StorageClass.Name
	}
	return sample{"a user's claim of " + size.String(), claims, claim}
}

func hubIngress(a *answers.File) sample {
	host := a.DNS.Domain
	if host == "" {
		host = "jupyterhub.invalid"
	}
	ingress := &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
		ObjectMeta: meta("conformance-jupyterhub", "ingress"),
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: ptr.To(networkingv1.PathTypePrefix),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
					Name: "conformance-proxy-public", Port: networkingv1.ServiceBackendPort{Name: "http"}}},
			}}},
		}}}},
	}
	if a.Ingress.ClassName != "" {
		ingress.Spec.IngressClassName = &a.Ingress.ClassName
	}
	return sample{"the hub's ingress", ingresses, ingress}
}

func hubServiceMonitor(a answers.Prometheus) sample {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "monitoring.coreos.com/v1",
		"kind":       "ServiceMonitor",
		"spec": map[string]any{
			"selector":  map[string]any{"matchLabels": map[string]any{"app": "jupyterhub", "component": "hub"}},
			"endpoints": []any{map[string]any{"port": "hub", "path": "/hub/metrics", "interval": "60s"}},
		},
	}}
	object.SetName("conformance-hub")
	object.SetLabels(map[string]string{"app": "jupyterhub", "release": a.ReleaseName})
	return sample{"the hub's ServiceMonitor", serviceMonitors, object}
}
