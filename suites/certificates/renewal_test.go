package certificates

import (
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
)

func TestRenewals(t *testing.T) {
	day := func(text string) answers.Date {
		d, err := time.ParseInLocation(time.DateOnly, text, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return answers.Date{Time: d}
	}
	now := day("2026-11-23").Add(12 * time.Hour)
	for name, c := range map[string]struct{ next, until, want string }{
		"in time":            {"2027-05-01", "2027-06-01", ""},
		"today":              {"2026-11-23", "2027-06-01", ""},
		"yesterday":          {"2026-11-22", "2027-06-01", "it was due on 2026-11-22"},
		"on the last day":    {"2027-06-01", "2027-06-01", "it is planned for 2027-06-01"},
		"after it has ended": {"2027-07-01", "2027-06-01", "bring the renewal forward"},
	} {
		f := judgeRenewal(day(c.next), day(c.until), now)
		if c.want == "" && f != nil || c.want != "" && (f == nil || !strings.Contains(f.Error(), c.want)) {
			t.Errorf("%s: %v", name, f)
		}
	}
}
