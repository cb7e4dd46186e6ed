package custom

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

// podTimeout bounds a pod that connects: its start, and the connection.
const podTimeout = 2 * time.Minute

// fromPod runs the probe in a throwaway pod and returns what it measured.
func fromPod[T any](ctx context.Context, options throwaway.PodOptions, expected string) (T, error) {
	var none T
	ctx, cancel := context.WithTimeout(ctx, podTimeout)
	defer cancel()
	options.Name, options.Deadline = "connect", podTimeout
	pod, err := check.Throwaways().Pod(ctx, options)
	if err != nil {
		return none, notRun(err, expected)
	}
	report, err := pod.Finished(ctx)
	if err != nil {
		return none, notRun(err, expected)
	}
	check.Evidence("node", report.Node)
	result, err := probe.Decode[T](report.Message)
	if report.ExitCode != 0 || err != nil {
		return none, finding.NotDecided(expected, fmt.Sprintf("the probe could not measure: exit code %d, %s", report.ExitCode, report.Message),
			"the image that holds the probe is of another version than the runner", "set runner.image to this version's").Because(err)
	}
	return result, nil
}

// probeArgs renders a connection's options for the probe, but for the headers: one may be a
// credential, see withHeaders.
func probeArgs(command, target string, o probe.ConnectOptions) throwaway.PodOptions {
	o.Header = nil
	pod := throwaway.PodOptions{Args: o.Args(command, target)}
	if len(o.CAs) > 0 {
		pod.Env = append(pod.Env, corev1.EnvVar{Name: probe.CAVariable, Value: string(o.CAs)})
	}
	return pod
}

// withHeaders adds the request's headers, by way of a throwaway Secret.
func withHeaders(ctx context.Context, pod *throwaway.PodOptions, all http.Header) error {
	data := map[string][]byte{}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if name == "User-Agent" {
			pod.Args = append(pod.Args, "--header", name+": "+all.Get(name))
			continue
		}
		key := fmt.Sprintf("HEADER_%d", i)
		data[key] = []byte(name + ": " + all.Get(name))
		// The kubelet puts the value in the place of $(KEY).
		pod.Args = append(pod.Args, "--header", "$("+key+")")
	}
	if len(data) == 0 {
		return nil
	}
	secret, err := check.Throwaways().Secret(ctx, "headers", corev1.SecretTypeOpaque, data)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		pod.Env = append(pod.Env, corev1.EnvVar{Name: key, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}}})
	}
	return nil
}
