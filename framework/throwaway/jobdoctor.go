package throwaway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aiv.internal/conformance/framework/kubeerr"
)

// queueGrace is how long a Job may be suspended: a queue admits at once what it has room for.
const queueGrace = 15 * time.Second

// jobDoctor watches over the part of a wait in which a Job has no pod, or has lost it.
type jobDoctor struct {
	client Client
	job    *Job
	began  time.Time
	// look is when to look at the Job next; told is what it and its events said last.
	look time.Time
	told *symptom
	seen patience
}

func newJobDoctor(client Client, job *Job, now time.Time) *jobDoctor {
	return &jobDoctor{client: client, job: job, began: now, look: now.Add(nextLook(0))}
}

// examine returns the symptom that ends the wait of a Job without a pod, or after what time to
// look again. A healthy Job has its pod before the first look.
func (d *jobDoctor) examine(ctx context.Context, now time.Time) (*symptom, time.Duration) {
	if age := now.Sub(d.began); !now.Before(d.look) {
		d.told, d.look = d.ask(ctx, age), now.Add(nextLook(age))
	}
	worn, left := d.seen.worn(d.told, now)
	if worn {
		return d.told, 0
	}
	return nil, soonest(left, d.look.Sub(now))
}

// ask reads the Job and, if that does not tell, its events.
func (d *jobDoctor) ask(ctx context.Context, age time.Duration) *symptom {
	if s := d.read(ctx); s != nil {
		return s
	}
	job := d.job.last
	if s := jobEventSymptom(eventsOf(ctx, d.client, job.Namespace, "Job", job.Name, job.UID)); s != nil {
		return s
	}
	if job.Status.StartTime == nil && age >= silence {
		return &symptom{cause: ControllerSilent, text: describeJob(job), undecided: true,
			why: "nobody looks after Jobs", do: "see kube-controller-manager (job controller)"}
	}
	return nil
}

// read reads the Job again and returns what it says is wrong. A Job that cannot be read tells
// nothing: the pod and the events still do.
func (d *jobDoctor) read(ctx context.Context) *symptom {
	job, err := d.client.Kube.BatchV1().Jobs(d.job.last.Namespace).Get(ctx, d.job.Name(), metav1.GetOptions{})
	if kubeerr.ReasonOf(err) == kubeerr.NotFound || err == nil && (job.UID != d.job.last.UID || job.DeletionTimestamp != nil) {
		return &symptom{cause: DeletedMeanwhile, text: describeJob(d.job.last), undecided: true,
			why: "someone deleted the Job while the check waited for it", do: "run again; see the audit log for who did"}
	}
	if err != nil {
		return nil
	}
	d.job.last = job
	return jobSymptom(job)
}

// lostPod says why the Job's pod is gone, or was stopped, before it had reported.
func (d *jobDoctor) lostPod(ctx context.Context, pod *corev1.Pod) *symptom {
	if s := d.read(ctx); s != nil {
		return s
	}
	return &symptom{cause: DeletedMeanwhile, text: describePod(pod) + "; " + describeJob(d.job.last), undecided: true,
		why: "someone deleted the Job's pod while the check waited for it", do: "run again; see the audit log for who did"}
}

// jobSymptom returns what a Job's status says is wrong with it, nil for a healthy one.
func jobSymptom(job *batchv1.Job) *symptom {
	if job.Spec.Suspend != nil && *job.Spec.Suspend {
		return &symptom{cause: HeldBack, text: "the Job is suspended", grace: queueGrace, undecided: true,
			why: "a queue (Kueue or the like) has no room for the Job at the moment, or does not know its namespace",
			do:  "see the namespace's queue; run again when it has room"}
	}
	for _, condition := range job.Status.Conditions {
		// FailureTarget comes before Failed, while pods are still on their way out.
		if condition.Status != corev1.ConditionTrue || condition.Type != batchv1.JobFailed && condition.Type != batchv1.JobFailureTarget {
			continue
		}
		text := condition.Reason + ": " + condition.Message
		if condition.Reason == batchv1.JobReasonDeadlineExceeded {
			return &symptom{cause: DeadlineOfPod, text: text, why: "the Job did not end in its time", do: "see what its pod was last busy with"}
		}
		return &symptom{cause: JobFailed, text: text, undecided: true,
			why: "the Job's pod was lost before it had reported: evicted, deleted, or its node is gone", do: "run again; see the node's state"}
	}
	return nil
}

// jobEventSymptom returns why the controller could not make the Job's pod, nil if it did since.
func jobEventSymptom(events []corev1.Event) *symptom {
	for _, e := range slices.Backward(events) {
		switch e.Reason {
		case "SuccessfulCreate":
			return nil
		case "FailedCreate":
			refused := refusal(strings.TrimPrefix(e.Message, "Error creating: "))
			f := kubeerr.FromAPI(refused, "")
			return &symptom{cause: PodRefused, text: e.Message, why: f.Why, do: f.Do, undecided: f.Undecided, grace: schedulerGrace, refused: refused}
		}
	}
	return nil
}

// refusal makes the API server's error again of the message that the Job controller repeats.
func refusal(message string) error {
	status := metav1.Status{Status: metav1.StatusFailure, Message: message}
	switch {
	case strings.Contains(message, "is forbidden"):
		status.Reason, status.Code = metav1.StatusReasonForbidden, http.StatusForbidden
	case strings.Contains(message, "is invalid"):
		status.Reason, status.Code = metav1.StatusReasonInvalid, http.StatusUnprocessableEntity
	default:
		status.Reason, status.Code = metav1.StatusReasonInternalError, http.StatusInternalServerError
	}
	return &apierrors.StatusError{ErrStatus: status}
}

// describeJob says in one line where a Job has got to.
func describeJob(job *batchv1.Job) string {
	if job.Status.StartTime == nil {
		return "not seen by the Job controller"
	}
	text := "Job started " + job.Status.StartTime.UTC().Format(time.RFC3339)
	for _, condition := range job.Status.Conditions {
		if condition.Status == corev1.ConditionTrue {
			text += ", " + string(condition.Type) + ": " + strings.TrimSpace(condition.Reason+" "+condition.Message)
		}
	}
	return text
}
