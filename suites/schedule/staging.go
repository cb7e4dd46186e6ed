package schedule

import (
	"fmt"
	"time"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/report"
	"aiv.internal/conformance/framework/verdict"
)

// stagingAge is how old a staging report may be: as old as an attestation.
const stagingAge = 180 * 24 * time.Hour

// judgeStaging reads this suite's own report of the staging environment.
func judgeStaging(path string) {
	check.Step("read the staging report %s", path)
	staging, err := report.Read(path)
	if err != nil {
		check.Fail("a report.json of this suite at goLive.stagingTested.report", err.Error(),
			"the file is another one, damaged, or of another version of the suite", "run the suite in staging and name its report.json")
	}
	check.Evidence("staging run", staging.Run.ID)
	check.Evidence("staging run ended with", report.Meaning(staging.Run.ExitCode))
	if age := time.Since(staging.Run.Started); age > stagingAge {
		check.Fail("a staging run of the last 180 days", fmt.Sprintf("it is from %s", staging.Run.Started.Format(time.DateOnly)),
			"staging has changed since", "run the suite in staging again")
	}
	if staging.Run.ExitCode != verdict.ExitMet && staging.Run.ExitCode != verdict.ExitWarnings {
		check.Fail("a staging run in which nothing failed", report.Meaning(staging.Run.ExitCode),
			"staging is not as it must be either", "mend staging first: its report names the items")
	}
	if len(staging.Run.Focus)+len(staging.Run.Skip) > 0 {
		check.Fail("a staging run of the whole suite", fmt.Sprintf("it ran with --focus=%v --skip=%v", staging.Run.Focus, staging.Run.Skip),
			"a part was tried on its own", "run the whole suite in staging")
	}
}
