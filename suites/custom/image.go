package custom

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

// imageTimeout is how long a program may take where the check does not say.
const imageTimeout = 2 * time.Minute

// proveImage runs the program in a throwaway pod and holds its exit code against the
// expected one.
func proveImage(ctx context.Context, i answers.ImageCheck) error {
	timeout := i.Timeout.Duration
	if timeout <= 0 {
		timeout = imageTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	options := throwaway.PodOptions{Name: "program", Image: i.Image, Command: i.Command, Args: i.Args, Env: environment(i.Env), Deadline: timeout}
	if i.PullSecret != "" {
		options.PullSecrets = &[]string{i.PullSecret}
	}
	kit := check.Throwaways()
	check.Step("run %s", i.Image)
	expected := fmt.Sprintf("%s ends with exit code %d", programOf(i), wanted(i))
	pod, err := kit.Pod(ctx, options)
	if err != nil {
		return notRun(err, expected)
	}
	report, err := runToEnd(ctx, pod, timeout, expected)
	if err != nil {
		return err
	}
	check.Evidence("exit code", report.ExitCode)
	check.Evidence("node", report.Node)
	check.Evidence("took", report.Finished.Sub(report.Started))
	return judgeExit(i, report, expected)
}

// runToEnd tells a program that takes too long from a pod that did not come to run it.
func runToEnd(ctx context.Context, pod *throwaway.Pod, timeout time.Duration, expected string) (throwaway.Report, error) {
	err := pod.Running(ctx)
	began := err == nil || throwaway.CauseOf(err) == throwaway.EndedEarly
	var report throwaway.Report
	if began {
		report, err = pod.Finished(ctx)
	}
	if err == nil {
		return report, nil
	}
	switch cause := throwaway.CauseOf(err); {
	case cause == throwaway.OutOfMemory, cause == throwaway.DeadlineOfPod && began:
		f := *finding.As(err)
		f.Expected = expected
		return report, f.Because(err)
	case cause == throwaway.NoneSeen && began:
		return report, finding.Failed(expected, finding.As(err).Found, "the program hangs, or takes longer than "+timeout.String(), "see why, or set the check's timeout").Because(err)
	}
	return report, notRun(err, expected)
}

func wanted(i answers.ImageCheck) int {
	if i.ExpectExit == nil {
		return 0
	}
	return *i.ExpectExit
}

func judgeExit(i answers.ImageCheck, report throwaway.Report, expected string) error {
	if report.ExitCode == wanted(i) {
		return nil
	}
	found := fmt.Sprintf("exit code %d on node %s", report.ExitCode, report.Node)
	if message := strings.TrimSpace(string(report.Message)); message != "" {
		found += ": " + shorten(message)
	}
	why, do := "the program says so", "run the image by hand to see what it prints"
	switch report.ExitCode {
	case 126, 127:
		why, do = "the program is not in the image, or cannot be run by an ordinary user", "correct the check's command"
	case 137, 143:
		why, do = "it was killed: for memory, or because its time was over", "see its events; a throwaway pod has 128 MiB"
	}
	return finding.Failed(expected, found, why, do)
}

func programOf(i answers.ImageCheck) string {
	if len(i.Command) == 0 {
		return "the program of " + i.Image
	}
	return i.Command[0] + " in " + i.Image
}

// environment passes secrets as references: their values must not stand in the pod.
func environment(values map[string]answers.Value) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(values)) {
		variable := corev1.EnvVar{Name: name, Value: values[name].Text}
		if secret := values[name].Secret.Kubernetes; secret != nil {
			variable.ValueFrom = &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: secret.Name}, Key: secret.Key}}
		}
		out = append(out, variable)
	}
	return out
}

// notRun: a pod that did not come to run its program says nothing about what the check asks.
func notRun(err error, expected string) error {
	f := finding.As(err)
	if f == nil {
		return finding.NotDecided(expected, err.Error(), "", "run it again").Because(err)
	}
	undecided := *f
	undecided.Expected, undecided.Undecided = expected, true
	return undecided.Because(err)
}
