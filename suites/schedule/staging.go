package schedule

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/report"
	"aiv.internal/conformance/framework/verdict"
)

const (
	// stagingAge is how old a staging report may be: as old as an attestation.
	stagingAge = 180 * 24 * time.Hour
	// clocksDiffer is by how much the clocks of two runners may differ.
	clocksDiffer = 15 * time.Minute
)

// proveStaging reads this suite's own report of the staging environment.
func proveStaging(path string) {
	check.Step("read the staging report %s", path)
	staging, err := report.Read(path)
	if err != nil {
		check.Fail("a report.json of this suite at goLive.stagingTested.report", err.Error(),
			"the file is another one, damaged, or of another version of the suite", "run the suite in staging and name its report.json")
	}
	check.Evidence("staging run", staging.Run.ID)
	check.Evidence("staging cluster", staging.Cluster.Server+", namespace "+staging.Cluster.Namespace)
	check.Evidence("staging run ended with", report.Meaning(staging.Run.ExitCode))
	config, err := check.Settings().ClientConfig().ClientConfig()
	if err != nil {
		check.Undecided("a staging environment other than this one", check.Redact(err.Error()), "this run has no usable kubeconfig", "see item 1.1.1")
	}
	here := report.Cluster{Server: config.Host, Namespace: check.Settings().Namespace}
	if f := judgeStaging(staging, here, time.Now()); f != nil {
		check.NoError(f, "judge the staging report")
	}
}

// judgeStaging returns why the report does not show that staging was tested, nil if it does.
// here is what this run checks.
func judgeStaging(staging *report.Document, here report.Cluster, now time.Time) *finding.Finding {
	run := staging.Run
	measured := slices.ContainsFunc(staging.Items, func(i report.Item) bool { return i.Verdict == verdict.Passed })
	const again = "run the whole suite in staging"
	switch age := now.Sub(run.Started); {
	case age < -clocksDiffer:
		return finding.Failed("a staging run that has taken place", "it is dated "+run.Started.Format(time.RFC3339)+", which is to come",
			"a clock was wrong, or the report was written by hand", again+", with the clock set")
	case age > stagingAge:
		return finding.Failed("a staging run of the last 180 days", "it is from "+run.Started.Format(time.DateOnly), "staging has changed since", again+" again")
	case sameServer(staging.Cluster.Server, here.Server) && staging.Cluster.Namespace == here.Namespace:
		return finding.Failed("a run in a staging environment", fmt.Sprintf("it is of namespace %s at %s, which this run checks", here.Namespace, here.Server),
			"a report of production was named", again+", in its own namespace or cluster, and name that report")
	case staging.Cluster.Server == "":
		return finding.Failed("a staging run that says where it took place", "it names no API server", "it reached none, or the report was written by hand", again)
	case run.Interrupted:
		return finding.Failed("a staging run that came to its end", "it was interrupted", "the run was stopped", again)
	case run.ExitCode != verdict.ExitMet && run.ExitCode != verdict.ExitWarnings:
		return finding.Failed("a staging run in which nothing failed", report.Meaning(run.ExitCode), "staging is not as it must be either", "mend staging first: its report names the items")
	case len(run.Focus)+len(run.Skip) > 0:
		return finding.Failed("a staging run of the whole suite", fmt.Sprintf("it ran with --focus=%v --skip=%v", run.Focus, run.Skip), "a part was tried on its own", again)
	case run.ReadOnly:
		return finding.Failed("a staging run that tries what it checks", "it ran with --read-only", "with it, nothing is created, and so little is proved", again+" without --read-only")
	case !measured:
		return finding.Failed("a staging run that measured something", "no item of it passed by measurement", "its answers file answers nothing that can be measured", "fill in staging's answers file, then "+again)
	}
	return nil
}

// sameServer compares two addresses of API servers, however they are written.
func sameServer(a, b string) bool { return hostPort(a) == hostPort(b) }

func hostPort(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return strings.ToLower(server)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}
