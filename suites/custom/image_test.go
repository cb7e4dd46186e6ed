package custom

import (
	"errors"
	"testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

func TestJudgeExit(t *testing.T) {
	three := 3
	for _, c := range []struct {
		name    string
		want    *int
		code    int
		message string
		finding string
	}{
		{"success", nil, 0, "", ""},
		{"expected failure", &three, 3, "", ""},
		{"failure", nil, 1, "license expired\n", "exit code 1 on node n: license expired"},
		{"success where failure is expected", &three, 0, "", "exit code 0"},
		{"no program", nil, 127, "", "correct the check's command"},
		{"killed", nil, 137, "", "128 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := judgeExit(answers.ImageCheck{ExpectExit: c.want}, throwaway.Report{ExitCode: c.code, Node: "n", Message: []byte(c.message)}, "it ends well")
			wantFinding(t, err, c.finding, false)
		})
	}
}

func TestEnvironmentHoldsNoSecret(t *testing.T) {
	got := environment(map[string]answers.Value{
		"TOKEN":  {Secret: answers.Secret{Kubernetes: &answers.KubernetesSecret{Name: "license", Key: "token"}}},
		"REGION": {Text: "eu"},
	})
	if len(got) != 2 || got[0].Name != "REGION" || got[0].Value != "eu" || got[1].Value != "" {
		t.Fatalf("%+v", got)
	}
	if from := got[1].ValueFrom.SecretKeyRef; from.Name != "license" || from.Key != "token" {
		t.Errorf("%+v", from)
	}
}

func TestNotRunIsUndecided(t *testing.T) {
	original := finding.Failed("pod runs", "image not found", "misspelt", "correct it")
	wantFinding(t, notRun(original, "it ends well"), "image not found", true)
	if original.Undecided || original.Expected != "pod runs" {
		t.Error("the original was changed")
	}
	f := finding.As(notRun(errors.New("odd"), "it ends well"))
	if f == nil || !f.Undecided || f.Expected != "it ends well" {
		t.Errorf("%+v", f)
	}
}
