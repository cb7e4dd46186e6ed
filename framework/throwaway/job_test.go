package throwaway

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
)

const (
	jobsPath = "/apis/batch/v1/namespaces/" + namespace + "/jobs/"
	podsPath = "/api/v1/namespaces/" + namespace + "/pods/"
)

func newTestJob(t *testing.T, client Client, o PodOptions) (*Job, func(*testing.T)) {
	t.Helper()
	k, cleanup := kit(begin(t, client, "r1"), "1.2.3")
	j, err := k.Job(t.Context(), JobOptions{o})
	if err != nil {
		t.Fatal(err)
	}
	return j, cleanup
}

// makePod makes the Job's pod, as its controller does, and returns its path.
func (a *api) makePod(j *Job) string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	path := podsPath + j.Name() + "-abcde"
	a.store("ADDED", path, map[string]any{"kind": "Pod", "apiVersion": "v1",
		"metadata": map[string]any{"name": j.Name() + "-abcde", "namespace": namespace, "uid": "pod-1", "labels": map[string]any{
			batchv1.JobNameLabel: j.Name(), LabelManagedBy: ManagedBy, LabelRun: "r1"}},
		"spec": map[string]any{"nodeName": "node2"}, "status": map[string]any{"phase": "Pending"}})
	return path
}

func (a *api) addEvent(j *Job, reason, message string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	name := j.Name() + "." + reason
	a.store("ADDED", "/api/v1/namespaces/"+namespace+"/events/"+name, map[string]any{
		"metadata": map[string]any{"name": name}, "reason": reason, "message": message, "type": "Warning",
		"involvedObject": map[string]any{"kind": "Job", "name": j.Name(), "uid": string(j.last.UID)}})
}

func container(state map[string]any) map[string]any {
	return map[string]any{"name": containerName, "imageID": "sha256:1", "state": state}
}

func TestJobRunsItsPodOnceAndIsOwned(t *testing.T) {
	api, client := newAPI(t)
	j, cleanup := newTestJob(t, client, PodOptions{Name: "smoke", Deadline: time.Minute})
	job := j.last
	if job.OwnerReferences[0].Name != "conformance-r1" || job.Labels[LabelRun] != "r1" || job.Spec.Template.Labels[LabelItem] != "1.2.3" {
		t.Errorf("metadata: %+v, template %+v", job.ObjectMeta, job.Spec.Template.ObjectMeta)
	}
	if s := job.Spec; *s.BackoffLimit != 0 || *s.ActiveDeadlineSeconds != 1800 || *s.TTLSecondsAfterFinished != 1800 ||
		*s.PodReplacementPolicy != batchv1.Failed || *s.Template.Spec.ActiveDeadlineSeconds != 60 || s.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("spec: %+v", s)
	}
	dryRun, create := slices.Index(api.requests, "POST "+strings.TrimSuffix(podsPath, "/")), slices.Index(api.requests, "POST "+strings.TrimSuffix(jobsPath, "/"))
	if dryRun < 0 || create < dryRun || len(api.names("pods")) != 0 {
		t.Errorf("the pod was not tried before the Job: %v", api.requests)
	}
	cleanup(t)
	if left := api.names("jobs"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestJobFinishes(t *testing.T) {
	api, client := newAPI(t)
	j, _ := newTestJob(t, client, PodOptions{})
	go func() {
		time.Sleep(50 * time.Millisecond) // the watch is open by then
		pod := api.makePod(j)
		api.breakWatches(1)
		api.change(pod, func(pod map[string]any) {
			set(pod, map[string]any{"phase": "Running", "containerStatuses": []any{container(map[string]any{"running": map[string]any{}})}})
		})
		api.change(pod, func(pod map[string]any) {
			set(pod, map[string]any{"phase": "Failed", "containerStatuses": []any{container(map[string]any{"terminated": map[string]any{"exitCode": 3, "message": "m"}})}})
		})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := j.Running(ctx); err != nil && CauseOf(err) != EndedEarly {
		t.Fatal(err)
	}
	report, err := j.Finished(ctx)
	if err != nil || report.ExitCode != 3 || report.Node != "node2" || string(report.Message) != "m" || j.Node() != "node2" {
		t.Errorf("got %+v, %v", report, err)
	}
	api.mutex.Lock()
	watches := 0
	for _, r := range api.requests {
		if strings.HasPrefix(r, "GET "+podsPath) {
			t.Errorf("the pod was asked for by name: %s", r)
		}
		if strings.HasSuffix(r, "pods watch") {
			watches++
		}
	}
	api.mutex.Unlock()
	if watches > 4 { // two, one of which was broken and answered 410 once
		t.Errorf("%d watches", watches)
	}
}

// A Job says nothing of why it gets no pods: the dry run does.
func TestJobWhosePodWouldBeRefused(t *testing.T) {
	for _, c := range []struct {
		name, message, why string
		cause              Cause
	}{
		{"quota", `pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4`, "ResourceQuota", ""},
		{"no such class", `pods "x" is forbidden: pod rejected: RuntimeClass "nvidia" not found`, "no RuntimeClass nvidia", NoRuntimeClass},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, client := newAPI(t)
			k, cleanup := kit(begin(t, client, "r1"), "1.2.3")
			api.refuse = func(method, path string) (int, string) {
				if method == "POST" && strings.HasSuffix(path, "/pods") {
					return 403, c.message
				}
				return 0, ""
			}
			_, err := k.Job(t.Context(), JobOptions{PodOptions{RuntimeClass: "nvidia", DeviceClass: "gpu.nvidia.com"}})
			if f := finding.As(err); f == nil || f.Undecided || !strings.Contains(f.Why, c.why) || CauseOf(err) != c.cause {
				t.Errorf("got %v", err)
			}
			if left := append(api.names("jobs"), api.names("resourceclaimtemplates")...); len(left) > 0 {
				t.Errorf("created all the same: %v", left)
			}
			cleanup(t)
		})
	}
}

func TestJobEndsAtOnceWithItsPodsCause(t *testing.T) {
	for _, c := range []struct {
		name   string
		status map[string]any
		want   Cause
		within time.Duration
	}{
		{"image missing", map[string]any{"phase": "Pending", "containerStatuses": []any{container(map[string]any{
			"waiting": map[string]any{"reason": "ErrImagePull", "message": "registry/probe:1: not found"}})}}, ImageNotFound, 2 * time.Second},
		{"unschedulable", map[string]any{"phase": "Pending", "conditions": []any{map[string]any{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
			"message": "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {nvidia.com/gpu: }."}}}, Unschedulable, schedulerGrace + 3*time.Second},
		{"deadline", map[string]any{"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}, DeadlineOfPod, 2 * time.Second},
		{"plugin dead", map[string]any{"phase": "Failed", "reason": "UnexpectedAdmissionError",
			"message": "Pod was rejected: Allocate failed due to rpc error: code = Unavailable desc = connection error, which is unexpected"}, DeviceRefused, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			api, client := newAPI(t)
			j, _ := newTestJob(t, client, PodOptions{})
			api.change(api.makePod(j), func(pod map[string]any) { set(pod, c.status) })
			started := time.Now()
			_, err := j.Finished(t.Context())
			if took := time.Since(started); CauseOf(err) != c.want || finding.As(err) == nil || finding.As(err).Undecided || took > c.within {
				t.Errorf("after %v: %v", took, err)
			}
		})
	}
}

func TestJobWithoutAPod(t *testing.T) {
	failed := func(reason string) func(map[string]any) {
		return func(job map[string]any) {
			set(job, map[string]any{"startTime": "2026-01-01T00:00:00Z", "conditions": []any{map[string]any{"type": "FailureTarget", "status": "True", "reason": reason, "message": "m"}}})
		}
	}
	for _, c := range []struct {
		name      string
		happens   func(*api, *Job)
		want      Cause
		undecided bool
	}{
		{"refused after the dry run", func(a *api, j *Job) {
			a.addEvent(j, "FailedCreate", `Error creating: pods "x" is forbidden: exceeded quota: gpus, requested: pods=1, used: pods=9, limited: pods=9`)
		}, PodRefused, false},
		{"deadline", func(a *api, j *Job) { a.change(jobsPath+j.Name(), failed("DeadlineExceeded")) }, DeadlineOfPod, false},
		{"failed", func(a *api, j *Job) { a.change(jobsPath+j.Name(), failed("BackoffLimitExceeded")) }, JobFailed, true},
		{"deleted", func(a *api, j *Job) { a.delete(jobsPath + j.Name()) }, DeletedMeanwhile, true},
		{"held back", func(a *api, j *Job) {
			a.change(jobsPath+j.Name(), func(job map[string]any) { job["spec"].(map[string]any)["suspend"] = true })
		}, HeldBack, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			api, client := newAPI(t)
			j, _ := newTestJob(t, client, PodOptions{})
			c.happens(api, j)
			doctor := newJobDoctor(client, j, time.Now())
			var s *symptom
			for now := time.Now(); s == nil && now.Before(doctor.began.Add(time.Minute)); now = now.Add(time.Second) {
				s, _ = doctor.examine(t.Context(), now)
			}
			if s == nil || s.cause != c.want || s.undecided != c.undecided || s.why == "" || s.do == "" {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestJobThatNobodyLooksAfter(t *testing.T) {
	_, client := newAPI(t)
	j, _ := newTestJob(t, client, PodOptions{})
	doctor := newJobDoctor(client, j, time.Now())
	if s := doctor.ask(t.Context(), silence-time.Second); s != nil {
		t.Errorf("too soon: %+v", s)
	}
	if s := doctor.ask(t.Context(), silence); s == nil || s.cause != ControllerSilent {
		t.Errorf("got %+v", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := j.Finished(ctx); CauseOf(err) != NoneSeen || !strings.Contains(err.Error(), "no pod yet; not seen by the Job controller") {
		t.Errorf("got %v", err)
	}
}

// What a Job loses its pod by is told: by its own deadline, or by someone.
func TestJobLosesItsPod(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(*api, *Job, string)
		want Cause
	}{
		{"someone deletes the pod", func(a *api, j *Job, pod string) { a.delete(pod) }, DeletedMeanwhile},
		{"someone deletes the Job", func(a *api, j *Job, pod string) { a.delete(jobsPath + j.Name()); a.delete(pod) }, DeletedMeanwhile},
		{"stopped by its deletion", func(a *api, j *Job, pod string) {
			a.change(pod, func(pod map[string]any) {
				metaOf(pod)["deletionTimestamp"] = "2026-01-01T00:00:00Z"
				set(pod, map[string]any{"phase": "Failed", "containerStatuses": []any{container(map[string]any{"terminated": map[string]any{"exitCode": 143}})}})
			})
		}, DeletedMeanwhile},
		{"the Job's deadline", func(a *api, j *Job, pod string) {
			a.change(jobsPath+j.Name(), func(job map[string]any) {
				set(job, map[string]any{"conditions": []any{map[string]any{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "m"}}})
			})
			a.delete(pod)
		}, DeadlineOfPod},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, client := newAPI(t)
			j, cleanup := newTestJob(t, client, PodOptions{})
			pod := api.makePod(j)
			go func() {
				time.Sleep(50 * time.Millisecond) // while it is waited for
				c.lose(api, j, pod)
			}()
			if _, err := j.Finished(t.Context()); CauseOf(err) != c.want {
				t.Errorf("got %v", err)
			}
			cleanup(t)
		})
	}
}

func TestJobIsGoneWithItsPod(t *testing.T) {
	api, client := newAPI(t)
	j, _ := newTestJob(t, client, PodOptions{})
	pod := api.makePod(j)
	if err := j.Delete(t.Context()); err != nil || len(api.names("jobs")) != 0 {
		t.Fatalf("left %v, %v", api.names("jobs"), err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		api.delete(pod) // by the garbage collector
	}()
	if err := j.Gone(t.Context()); err != nil || len(api.names("pods")) != 0 {
		t.Errorf("left %v, %v", api.names("pods"), err)
	}
	if err := j.Delete(t.Context()); err != nil {
		t.Errorf("deleted twice: %v", err)
	}
}

// A create whose answer is lost leaves an object as well.
func TestJobAndTemplateAreRemovedThoughTheirCreationFailed(t *testing.T) {
	api, client := newAPI(t)
	k, cleanup := kit(begin(t, client, "r1"), "1.2.3")
	api.refuse = func(method, path string) (int, string) {
		if method == "POST" && strings.HasSuffix(path, "/jobs") {
			return 500, "etcdserver: request timed out"
		}
		return 0, ""
	}
	_, err := k.Job(t.Context(), JobOptions{PodOptions{DeviceClass: "gpu.nvidia.com"}})
	if f := finding.As(err); f == nil || !f.Undecided || len(api.names("resourceclaimtemplates")) != 1 {
		t.Errorf("got %v", err)
	}
	cleanup(t)
	deletes := 0
	for _, r := range api.requests {
		if strings.HasPrefix(r, "DELETE ") {
			deletes++
		}
	}
	if deletes != 2 || len(api.names("resourceclaimtemplates")) != 0 {
		t.Errorf("requests: %v", api.requests)
	}
}

func TestJobReadOnlyAndWithoutImage(t *testing.T) {
	api, client := newAPI(t)
	run, err := Begin(t.Context(), client, Settings{Namespace: namespace, RunID: "r1", ReadOnly: true, Image: "i"})
	if err != nil {
		t.Fatal(err)
	}
	without := Join(client, Settings{Namespace: namespace, RunID: "r1"}, "lease")
	for what, run := range map[string]*Run{"read only": run, "no image": without} {
		k, _ := kit(run, "1.2.3")
		_, err := k.Job(t.Context(), JobOptions{PodOptions{Image: "notebook:1", CopyProbe: true}})
		if f := finding.As(err); f == nil || !f.Undecided || len(api.requests) != 0 {
			t.Errorf("%s: %v, requests %v", what, err, api.requests)
		}
	}
}

func TestFailedCreateThatHealed(t *testing.T) {
	refused := event("FailedCreate", `Error creating: Internal error occurred: failed calling webhook "w": connection refused`, 1)
	if s := jobEventSymptom([]corev1.Event{refused}); s == nil || !strings.Contains(s.why, "could not reach an admission webhook") {
		t.Errorf("got %+v", s)
	}
	if s := jobEventSymptom([]corev1.Event{refused, event("SuccessfulCreate", "Created pod: x", 2)}); s != nil {
		t.Errorf("got %+v", s)
	}
}

func TestDescribeJob(t *testing.T) {
	job := &batchv1.Job{Status: batchv1.JobStatus{StartTime: ptr.To(metav1.Unix(0, 0)), Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobSuspended, Status: corev1.ConditionFalse}, {Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, Reason: "CompletionsReached"}}}}
	if got := describeJob(job); got != "Job started 1970-01-01T00:00:00Z, SuccessCriteriaMet: CompletionsReached" {
		t.Errorf("got %q", got)
	}
}
