package custom

import (
	"context"
	"errors"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/answers"
)

func TestHolds(t *testing.T) {
	object := map[string]any{
		"metadata": map[string]any{"name": "hub", "labels": map[string]any{"app.kubernetes.io/name": "hub"}},
		"spec":     map[string]any{"replicas": int64(1), "ratio": 0.5, "hosts": []any{"a.aiv.internal", "b.aiv.internal"}},
	}
	for _, c := range []struct {
		text string
		want bool
		seen string
	}{
		{"object.spec.replicas >= 2", false, "object.spec.replicas = 1"},
		{"object.spec.replicas == 1", true, ""},
		{"object.spec.ratio < 1", true, ""}, // int and double compare
		{"has(object.spec.paused)", false, ""},
		{"object.?spec.?paused.orValue(false)", false, ""},
		{"object.metadata.labels['app.kubernetes.io/name'] == 'proxy'", false, `object.metadata.labels["app.kubernetes.io/name"] = "hub"`},
		{"object.spec.hosts.all(h, h.endsWith('.aiv.internal'))", true, ""},
		{"object.spec.hosts[0].startsWith('b')", false, `object.spec.hosts["0"] = "a.aiv.internal"`},
		{"sets.contains(object.spec.hosts, ['b.aiv.internal'])", true, ""},
		{"'%s'.format([object.metadata.name]) == 'hub'", true, ""},
	} {
		rule, err := compile(c.text, objectVariable)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got, seen, err := rule.holds(t.Context(), objectVariable, object)
		if err != nil || got != c.want || seen != c.seen {
			t.Errorf("%s: %v, %q, %v", c.text, got, seen, err)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	long := make([]any, 2000)
	for i := range long {
		long[i] = int64(i)
	}
	for text, want := range map[string]string{
		"object.nothing == 1": "no such key: nothing",
		"object.long":         "but a list",
		"object.long.all(a, object.long.all(b, a + b >= 0))": "cost limit",
		"object.long[0] / 0 == 1":                            "division by zero",
	} {
		rule, err := compile(text, objectVariable)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		_, _, err = rule.holds(t.Context(), objectVariable, map[string]any{"long": long})
		if !errors.Is(err, errNoAnswer) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	rule, _ := compile("object.long.all(a, a >= 0)", objectVariable)
	if _, _, err := rule.holds(ended, objectVariable, map[string]any{"long": long}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}

func TestCompileErrors(t *testing.T) {
	for text, want := range map[string]string{
		"object.data..x":             "line 1, column 13: Syntax error",
		"object.a &&\n  nothing > 1": "line 2, column 3: undeclared reference to 'nothing'",
		"1 + 1":                      "gives int",
		"'x'":                        "gives string",
	} {
		if _, err := compile(text, objectVariable); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestValidate(t *testing.T) {
	right := answers.Custom{ID: "a", Object: &answers.ObjectCheck{Expect: "object.spec.x"}}
	wrong := answers.Custom{ID: "b", HTTP: &answers.HTTPCheck{Expect: "object.x"}}
	if err := Validate(&answers.File{Custom: []answers.Custom{right, {Target: &answers.TargetCheck{}}, {HTTP: &answers.HTTPCheck{}}}}); err != nil {
		t.Error(err)
	}
	err := Validate(&answers.File{Custom: []answers.Custom{right, wrong}})
	if err == nil || !strings.Contains(err.Error(), "custom[1].http.expect: no CEL expression, at line 1, column 1") {
		t.Error(err)
	}
}
