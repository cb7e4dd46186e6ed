//go:build lab

// Package incluster holds the test of deploy/in-cluster: the runner as a Job of the cluster
// that it checks, with the service account, image and settings of the manifest.
package incluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"aiv.internal/conformance/test/cluster"
)

const (
	image = "registry.aiv.internal:5000/ml-platform/conformance:lab"
	// patient bounds the Job, from its creation to its end.
	patient = 3 * time.Minute
)

// answers are enough for section 1.1; nothing in them is on the host's disk.
const answers = `apiVersion: conformance.aiv.internal/v1
kind: Answers
runner:
  image: ` + image + `
  pullSecrets: [registry-pull]
cluster:
  version: "1.36"
  cpuNodes: 1
  gpuNodes: 1
  namespace: jupyterhub-prod
  contact: {name: Lab (simulated), mail: lab@aiv.internal}
`

func manifest(t *testing.T, root string) *batchv1.CronJob {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "deploy", "in-cluster", "cronjob.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	job := &batchv1.CronJob{}
	if err := yaml.UnmarshalStrict(content, job); err != nil {
		t.Fatal(err)
	}
	return job
}

func TestTheCronJobsRunInTheCluster(t *testing.T) {
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(root, ".lab", "admin.kubeconfig"))
	if err != nil {
		t.Fatalf("the lab is not up (lab up): %v", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	cron := manifest(t, root)
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	if _, err := client.BatchV1().CronJobs(cron.Namespace).Create(ctx, cron, dry); err != nil {
		t.Fatalf("the API server refuses the manifest: %v", err)
	}

	name := fmt.Sprintf("conformance-test-%06x", rand.Uint32()&0xffffff)
	configMaps, jobs := client.CoreV1().ConfigMaps(cron.Namespace), client.BatchV1().Jobs(cron.Namespace)
	t.Cleanup(func() {
		background := metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}
		_ = jobs.Delete(context.Background(), name, background)
		_ = configMaps.Delete(context.Background(), name, background)
	})
	_, err = configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"answers.yaml": answers}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: cron.Spec.JobTemplate.Spec}
	pod := &job.Spec.Template.Spec
	pod.Containers[0].Image, pod.Containers[0].ImagePullPolicy = image, corev1.PullAlways
	pod.Containers[0].Args = append(pod.Containers[0].Args, "--focus=1.1.1,1.1.2,1.1.3,1.1.4")
	for i := range pod.Volumes {
		if pod.Volumes[i].Name == "answers" {
			pod.Volumes[i].ConfigMap.Name = name
		}
	}
	if _, err := jobs.Create(ctx, job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	code, node := ended(t, ctx, client, cron.Namespace, name)
	log, _ := client.CoreV1().Pods(cron.Namespace).GetLogs(podOf(ctx, client, cron.Namespace, name), &corev1.PodLogOptions{}).DoRaw(ctx)
	if code != 0 {
		t.Errorf("the run on %s ended with %d\n%s", node, code, log)
	}
	t.Logf("%s", log)
}

// ended waits for the Job's container and returns its exit code.
func ended(t *testing.T, ctx context.Context, client kubernetes.Interface, namespace, job string) (code int32, node string) {
	t.Helper()
	last := "no pod"
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
		if err != nil || len(pods.Items) == 0 {
			return false, err
		}
		pod := pods.Items[0]
		last = fmt.Sprintf("%s %+v", pod.Status.Phase, pod.Status.ContainerStatuses)
		for _, container := range pod.Status.ContainerStatuses {
			if container.State.Terminated != nil {
				code, node = container.State.Terminated.ExitCode, pod.Spec.NodeName
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Fatalf("the Job did not end: %v; last seen: %s", err, last)
	}
	return code, node
}

func podOf(ctx context.Context, client kubernetes.Interface, namespace, job string) string {
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	if err != nil || len(pods.Items) == 0 {
		return ""
	}
	return pods.Items[0].Name
}
