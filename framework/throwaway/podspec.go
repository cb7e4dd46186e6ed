package throwaway

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/utils/ptr"
)

const (
	// containerName is that of a throwaway pod's only container.
	containerName = "probe"
	// defaultUID is the unprivileged user of distroless images, and of ours.
	defaultUID = 65532
	// terminationGrace is how long a pod may take to end, in seconds.
	terminationGrace = 5
)

// PodOptions describe a throwaway pod. The zero value runs the probe of the run's image and
// lets it print its usage.
type PodOptions struct {
	// Name tells the pods of one item apart; a DNS label of a few characters.
	Name string
	// Image is the run's image, with Command /probe, if empty.
	Image   string
	Command []string
	Args    []string
	Env     []corev1.EnvVar
	// Labels are added to the kit's, which win. A pod with labels of others, such as JupyterHub's
	// hub, is what their policies select, and would be what their Services send traffic to: it is
	// never ready for these (see noTraffic).
	Labels map[string]string
	// PullSecrets are the run's if nil. Point to an empty slice for a pod with none.
	PullSecrets *[]string
	// PullPolicy is IfNotPresent if empty.
	PullPolicy corev1.PullPolicy
	Mounts     []Mount
	// UID is the user that the container runs as, 65532 if nil.
	UID *int64
	// FSGroup makes the kubelet give volumes to this group, which is the container's then.
	FSGroup *int64
	// Affinity is merged with what AvoidNodes, OnNode and Spread ask for, which win.
	Affinity *corev1.Affinity
	// NodeSelector and Tolerations are added to the run's.
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	// AvoidNodes are names of nodes that the scheduler must not choose.
	AvoidNodes []string
	// Spread puts the item's pods that have it on different nodes.
	Spread bool
	// OnNode is the name of the only node that the scheduler may choose. It may still refuse:
	// the pod must fit there like any other.
	OnNode string
	// RuntimeClass is that of the pod, none if empty.
	RuntimeClass string
	// CopyProbe runs the probe inside Image, which need not hold it: an init container of the
	// run's image copies it there. Command is CopiedProbe if empty.
	CopyProbe bool
	// DeviceClass makes the pod claim DeviceCount devices (1 if zero) of that class, by dynamic
	// resource allocation (resource.k8s.io/v1).
	DeviceClass string
	DeviceCount int64
	// Deadline ends the pod, the run's MaxAge if zero.
	Deadline time.Duration
	// ReadyPort makes the pod ready when GET /ready on this port is answered with 2xx, and not
	// ready when that stops; asked every second. 0: ready when started.
	ReadyPort int
	// Ports are what the container declares, by which policies name them.
	Ports []corev1.ContainerPort
	// Resources of the container. What they leave open is 10m CPU and 32 MiB, at most 200m and
	// 128 MiB.
	Resources corev1.ResourceRequirements
}

// Mount is a claim in a pod.
type Mount struct {
	Claim    string
	Path     string
	ReadOnly bool
}

// ourLabels begins the keys of labels that nobody else selects by.
const ourLabels = "conformance.aiv.internal/"

// labelSpread marks the pods that keep away from each other.
const labelSpread = ourLabels + "spread"

// noTraffic is a readiness gate that nobody opens. A pod that has it is never Ready, so that no
// Service sends it anything, whatever its labels; but for those that takesNoTraffic looks for.
const noTraffic = ourLabels + "no-traffic"

func (k *Kit) newPod(o PodOptions) *corev1.Pod {
	settings := k.run.settings
	if o.Image == "" {
		o.Image = settings.Image
		if len(o.Command) == 0 {
			o.Command = []string{"/probe"}
		}
	}
	if o.CopyProbe && len(o.Command) == 0 {
		o.Command = []string{CopiedProbe}
	}
	secrets := settings.PullSecrets
	if o.PullSecrets != nil {
		secrets = *o.PullSecrets
	}
	deadline := o.Deadline
	if deadline <= 0 || deadline > settings.MaxAge {
		deadline = settings.MaxAge
	}
	labels := map[string]string{}
	for key, value := range o.Labels {
		labels[key] = value
	}
	if o.Spread {
		labels[labelSpread] = "yes"
	}
	pod := &corev1.Pod{
		ObjectMeta: k.meta(o.Name, labels),
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			AutomountServiceAccountToken:  ptr.To(false),
			EnableServiceLinks:            ptr.To(false),
			ActiveDeadlineSeconds:         ptr.To(max(int64(deadline/time.Second), 1)),
			TerminationGracePeriodSeconds: ptr.To(int64(terminationGrace)),
			OS:                            &corev1.PodOS{Name: corev1.Linux},
			PriorityClassName:             settings.PriorityClass,
			NodeSelector:                  map[string]string{corev1.LabelOSStable: string(corev1.Linux)},
			Tolerations:                   append(append([]corev1.Toleration{}, settings.Tolerations...), o.Tolerations...),
			Affinity:                      k.affinity(o),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: ptr.To(true),
				RunAsUser:    ptr.To(ptr.Deref(o.UID, defaultUID)),
				// Else the group would be root's, whose files a user of the real images may not touch.
				RunAsGroup:     o.FSGroup,
				FSGroup:        o.FSGroup,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:                     containerName,
				Image:                    o.Image,
				ImagePullPolicy:          corev1.PullIfNotPresent,
				Command:                  o.Command,
				Args:                     o.Args,
				Env:                      o.Env,
				Ports:                    o.Ports,
				Resources:                o.Resources,
				TerminationMessagePolicy: corev1.TerminationMessageReadFile,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
	container := &pod.Spec.Containers[0]
	if o.PullPolicy != "" {
		container.ImagePullPolicy = o.PullPolicy
	}
	container.Resources = filled(o.Resources)
	if looksLikeOthers(o.Labels) {
		pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: noTraffic}}
	}
	if o.ReadyPort != 0 {
		container.ReadinessProbe = readiness(o.ReadyPort)
	}
	for _, selector := range []map[string]string{settings.NodeSelector, o.NodeSelector} {
		for key, value := range selector {
			pod.Spec.NodeSelector[key] = value
		}
	}
	for _, name := range secrets {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	for i, mount := range o.Mounts {
		name := fmt.Sprintf("claim-%d", i)
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: mount.Claim, ReadOnly: mount.ReadOnly}}})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: mount.Path, ReadOnly: mount.ReadOnly})
	}
	if o.RuntimeClass != "" {
		pod.Spec.RuntimeClassName = ptr.To(o.RuntimeClass)
	}
	if o.CopyProbe {
		copyProbe(pod, settings.Image)
	}
	if o.DeviceClass != "" {
		claimDevices(pod)
	}
	return pod
}

// looksLikeOthers tells whether others' Services may select a pod by its labels.
func looksLikeOthers(labels map[string]string) bool {
	for key := range labels {
		if !strings.HasPrefix(key, ourLabels) {
			return true
		}
	}
	return false
}

// readiness asks the pod every second whether it is ready.
func readiness(port int) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt(port)}},
		// Longer than the period: an answer that comes late is one as well.
		PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: 1, SuccessThreshold: 1,
	}
}

// filled returns amounts with little of everything that they leave open. An amount of which
// only the limit or only the request is given is left as it is.
func filled(amounts corev1.ResourceRequirements) corev1.ResourceRequirements {
	all := *amounts.DeepCopy()
	if all.Requests == nil {
		all.Requests = corev1.ResourceList{}
	}
	if all.Limits == nil {
		all.Limits = corev1.ResourceList{}
	}
	little := littleResources()
	for name := range little.Limits {
		_, requested := amounts.Requests[name]
		_, limited := amounts.Limits[name]
		if !requested && !limited {
			all.Requests[name], all.Limits[name] = little.Requests[name], little.Limits[name]
		}
	}
	return all
}

// littleResources names all that quotas like to demand, and little of it.
func littleResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:              resource.MustParse("10m"),
			corev1.ResourceMemory:           resource.MustParse("32Mi"),
			corev1.ResourceEphemeralStorage: resource.MustParse("1Mi"),
		},
		Limits: corev1.ResourceList{
			corev1.ResourceCPU:              resource.MustParse("200m"),
			corev1.ResourceMemory:           resource.MustParse("128Mi"),
			corev1.ResourceEphemeralStorage: resource.MustParse("64Mi"),
		},
	}
}

// affinity leaves the choice to the scheduler and only forbids: a pod put on a node by name
// would bypass it, and fail where a user's pod would not.
func (k *Kit) affinity(o PodOptions) *corev1.Affinity {
	affinity := &corev1.Affinity{}
	if o.Affinity != nil {
		affinity = o.Affinity.DeepCopy()
	}
	// The API allows one name for each of these.
	var nodes []corev1.NodeSelectorRequirement
	for _, node := range o.AvoidNodes {
		nodes = append(nodes, corev1.NodeSelectorRequirement{
			Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpNotIn, Values: []string{node}})
	}
	if o.OnNode != "" {
		nodes = append(nodes, corev1.NodeSelectorRequirement{
			Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{o.OnNode}})
	}
	if len(nodes) > 0 {
		affinity.NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: nodes}}}}
	}
	if o.Spread {
		apart := k.Labels()
		apart[labelSpread] = "yes"
		affinity.PodAntiAffinity = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			LabelSelector: &metav1.LabelSelector{MatchLabels: apart}, TopologyKey: corev1.LabelHostname}}}
	}
	if affinity.NodeAffinity == nil && affinity.PodAffinity == nil && affinity.PodAntiAffinity == nil {
		return nil
	}
	return affinity
}

// fitsRestricted asks the same evaluator that the API server uses, before asking the server.
func fitsRestricted(pod *corev1.Pod) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return fmt.Errorf("load the Pod Security standards: %w", err)
	}
	level := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	var wrong []string
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			wrong = append(wrong, result.ForbiddenReason+" ("+result.ForbiddenDetail+")")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("throwaway pod %s does not fit Pod Security restricted, and is not created: %s", pod.Name, strings.Join(wrong, "; "))
	}
	return nil
}
