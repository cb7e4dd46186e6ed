package throwaway

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podDoctor watches over one wait for a pod: it lets symptoms wear out their grace, and
// looks at events when a pod has not got on for a while.
type podDoctor struct {
	client Client
	began  time.Time
	// look is when to read events next; told is what they said last.
	look time.Time
	told *symptom
	// pull is the last telling error of an image pull.
	pull *symptom
	// unread: a refused pull was one without the pull secret.
	unread        bool
	status, event patience
}

func newPodDoctor(client Client, now time.Time) *podDoctor {
	return &podDoctor{client: client, began: now, look: now.Add(nextLook(0))}
}

// visit looks at one state of the pod (gone: the last one). It says whether the pod has
// reached its goal, or after what time to look again, or returns the symptom that ends the wait.
func (d *podDoctor) visit(ctx context.Context, pod *corev1.Pod, gone bool, reached goal) (done bool, again time.Duration, s *symptom) {
	if gone || killed(pod) {
		return false, 0, &symptom{cause: DeletedMeanwhile, text: describePod(pod), undecided: true,
			why: "someone deleted the pod while the check waited for it", do: "run again; see the audit log for who did"}
	}
	if s := endSymptom(pod); s != nil {
		return false, 0, s
	}
	if done, s := reached(pod); done || s != nil {
		return done, 0, s
	}
	s, again = d.examine(ctx, pod, time.Now())
	return false, again, s
}

// examine returns the symptom that ends the wait, or after what time to look again.
func (d *podDoctor) examine(ctx context.Context, pod *corev1.Pod, now time.Time) (*symptom, time.Duration) {
	if running(pod) || terminated(pod) != nil {
		return nil, 0
	}
	s := d.remember(podSymptom(pod))
	if s != nil && s.cause == ImagePull && d.told == nil {
		d.look = now // "back-off" alone: the events know why
	}
	d.excuse(ctx, pod, s)
	if age := now.Sub(d.began); !now.Before(d.look) {
		d.told, d.look = d.lookAtEvents(ctx, pod, age), now.Add(nextLook(age))
		d.excuse(ctx, pod, d.told)
	}
	statusWorn, statusLeft := d.status.worn(s, now)
	eventWorn, eventLeft := d.event.worn(d.told, now)
	scaling := d.told != nil && d.told.cause == Unschedulable // an autoscaler is at work
	switch {
	case statusWorn && !scaling && !d.overtaken(ctx, pod, s):
		return s, 0
	case eventWorn:
		return d.told, 0
	}
	return nil, soonest(statusLeft, eventLeft, d.look.Sub(now))
}

const (
	// secretGrace is how long a node may take to pull again with a pull secret that it could not
	// read at first: the kubelet waits for a secret for one second, and pulls again after ten.
	secretGrace = 25 * time.Second
	// eventDelay is by how much the kubelet's event about that may come later than the pod's
	// status: it is sent aside from it.
	eventDelay = 3 * time.Second
)

// unreadWhy is added to why a pull was refused that the node tried without the pull secret.
const unreadWhy = "; the node could not read the pull secret when it tried"

// excuse gives a refused pull time where the node may have pulled without the pull secret
// although it is there. A busy API server is enough for that, and the next pull heals it.
func (d *podDoctor) excuse(ctx context.Context, pod *corev1.Pod, s *symptom) {
	if s == nil || s.cause != ImageUnauthorized {
		return
	}
	if !d.unread {
		if !d.secretsThere(ctx, pod) {
			return
		}
		d.unread = slices.ContainsFunc(eventsOf(ctx, d.client, pod.Namespace, "Pod", pod.Name, pod.UID), func(e corev1.Event) bool {
			return e.Reason == "FailedToRetrieveImagePullSecret"
		})
	}
	s.grace = eventDelay
	if d.unread {
		s.grace = secretGrace
		s.why += unreadWhy
	}
}

func (d *podDoctor) secretsThere(ctx context.Context, pod *corev1.Pod) bool {
	for _, secret := range pod.Spec.ImagePullSecrets {
		if _, err := d.client.Kube.CoreV1().Secrets(pod.Namespace).Get(ctx, secret.Name, metav1.GetOptions{}); err != nil {
			return false
		}
	}
	return len(pod.Spec.ImagePullSecrets) > 0
}

// overtaken tells whether the scheduler has got on since it said that it cannot place the
// pod. While it waits for a volume on the node that it chose, it leaves its last words in the
// pod's status; and it may see a pod before the claim that was made for it.
func (d *podDoctor) overtaken(ctx context.Context, pod *corev1.Pod, s *symptom) bool {
	if s.cause != Unschedulable && s.cause != NoRoom {
		return false
	}
	present, chosen := true, false
	for _, name := range claimsOf(pod) {
		claim, err := d.client.Kube.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			present = false
			continue
		}
		chosen = chosen || claim.Status.Phase != corev1.ClaimBound && claim.Annotations[selectedNode] != ""
	}
	return chosen || present && s.why == claimMissing
}

// selectedNode is the annotation by which the scheduler asks for a claim's volume on the node
// that it chose for the pod (kubernetes, pkg/scheduler/framework/plugins/volumebinding).
const selectedNode = "volume.kubernetes.io/selected-node"

// remember puts the last telling pull error in the place of a mere "back-off".
func (d *podDoctor) remember(s *symptom) *symptom {
	switch {
	case s == nil || !isPull(s.cause):
	case s.cause != ImagePull:
		d.pull = s
	case d.pull != nil:
		return d.pull
	}
	return s
}

// lookAtEvents reads the pod's events and, for a pod that waits for its claims, theirs.
func (d *podDoctor) lookAtEvents(ctx context.Context, pod *corev1.Pod, age time.Duration) *symptom {
	if s := podEventSymptom(eventsOf(ctx, d.client, pod.Namespace, "Pod", pod.Name, pod.UID)); s != nil {
		return s
	}
	if pod.Spec.NodeName != "" {
		return nil
	}
	for _, claim := range claimsOf(pod) {
		s := claimEventSymptom(eventsOf(ctx, d.client, pod.Namespace, "PersistentVolumeClaim", claim, ""), age)
		if s != nil && s.cause != WaitingForConsumer {
			return s
		}
	}
	return nil
}

// allEvents returns the events of a pod and its claims.
func allEvents(ctx context.Context, client Client, pod *corev1.Pod) []corev1.Event {
	var events []corev1.Event
	for _, claim := range claimsOf(pod) {
		events = append(events, eventsOf(ctx, client, pod.Namespace, "PersistentVolumeClaim", claim, "")...)
	}
	return append(events, eventsOf(ctx, client, pod.Namespace, "Pod", pod.Name, pod.UID)...)
}

func claimsOf(pod *corev1.Pod) []string {
	var names []string
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			names = append(names, volume.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}

// isPull says whether a cause is about getting the image.
func isPull(cause Cause) bool {
	switch cause {
	case ImageNotFound, ImageUnauthorized, ImageUntrusted, ImageHostUnknown, ImageCorrupt, ImagePlatform, RegistryDown, ImagePull:
		return true
	}
	return false
}

// soonest returns the shortest of the times that are set.
func soonest(times ...time.Duration) time.Duration {
	least := time.Duration(0)
	for _, t := range times {
		if t > 0 && (least == 0 || t < least) {
			least = t
		}
	}
	return least
}
