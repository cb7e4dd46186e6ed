package schedule

import (
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/report"
	"aiv.internal/conformance/framework/verdict"
)

func TestStagingReports(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	here := report.Cluster{Server: "https://api.aiv.internal:443", Namespace: "jupyterhub-prod"}
	for name, c := range map[string]struct {
		change func(*report.Document)
		want   string
	}{
		"good":           {func(*report.Document) {}, ""},
		"with warnings":  {func(d *report.Document) { d.Run.ExitCode = verdict.ExitWarnings }, ""},
		"same cluster":   {func(d *report.Document) { d.Cluster.Server = "https://API.aiv.internal" }, ""},
		"same namespace": {func(d *report.Document) { d.Cluster.Namespace = here.Namespace }, ""},
		"clock ahead":    {func(d *report.Document) { d.Run.Started = now.Add(time.Minute) }, ""},
		"this environment": {func(d *report.Document) {
			d.Cluster = report.Cluster{Server: "https://API.aiv.internal", Namespace: "jupyterhub-prod"}
		}, "which this run checks"},
		"future":            {func(d *report.Document) { d.Run.Started = now.AddDate(0, 0, 1) }, "which is to come"},
		"old":               {func(d *report.Document) { d.Run.Started = now.AddDate(-1, 0, 0) }, "it is from 2025-11-23"},
		"undated":           {func(d *report.Document) { d.Run.Started = time.Time{} }, "it is from 0001-01-01"},
		"failed":            {func(d *report.Document) { d.Run.ExitCode = verdict.ExitNotMet }, "nothing failed"},
		"interrupted":       {func(d *report.Document) { d.Run.Interrupted = true }, "it was interrupted"},
		"in part":           {func(d *report.Document) { d.Run.Focus = []string{"dns"} }, "--focus=[dns]"},
		"without some":      {func(d *report.Document) { d.Run.Skip = []string{"dns"} }, "--skip=[dns]"},
		"read-only":         {func(d *report.Document) { d.Run.ReadOnly = true }, "--read-only"},
		"nothing measured":  {func(d *report.Document) { d.Items[1].Verdict = verdict.Attested }, "no item of it passed"},
		"nothing in it":     {func(d *report.Document) { d.Items = nil }, "no item of it passed"},
		"of no known place": {func(d *report.Document) { d.Cluster = report.Cluster{} }, "names no API server"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &report.Document{Run: report.Run{Started: now.AddDate(0, 0, -7)},
				Cluster: report.Cluster{Server: "https://staging.aiv.internal:6443", Namespace: "jupyterhub-staging"},
				Items:   []report.Item{{Result: verdict.Result{Verdict: verdict.Attested}}, {Result: verdict.Result{Verdict: verdict.Passed}}}}
			c.change(d)
			f := judgeStaging(d, here, now)
			if c.want == "" && f != nil || c.want != "" && (f == nil || f.Undecided || !strings.Contains(f.Error(), c.want)) {
				t.Errorf("got %v, want %q", f, c.want)
			}
		})
	}
}
