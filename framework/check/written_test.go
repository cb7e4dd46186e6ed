package check

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/verdict"
)

func day(offset int) answers.Date {
	return answers.Date{Time: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, offset)}
}

func TestAttestations(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/there":
		case "/login":
			http.Error(w, "who are you?", http.StatusUnauthorized)
		default:
			http.NotFound(w, r)
		}
	}))
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		a    answers.Attestation
		want string
	}{
		"a document":             {answers.Attestation{By: "Jane", On: day(-10), Evidence: "Runbook, page 3"}, ""},
		"a link that answers":    {answers.Attestation{By: "Jane", On: day(-10), Evidence: server.URL + "/there"}, ""},
		"today":                  {answers.Attestation{By: "Jane", On: day(0), Evidence: "Runbook"}, ""},
		"its last day":           {answers.Attestation{By: "Jane", On: day(-300), ValidUntil: day(0), Evidence: "Runbook"}, ""},
		"179 days old":           {answers.Attestation{By: "Jane", On: day(-179), Evidence: "Runbook"}, ""},
		"the day after the last": {answers.Attestation{By: "Jane", On: day(-10), ValidUntil: day(-1), Evidence: "Runbook"}, "stale since"},
		"180 days old":           {answers.Attestation{By: "Jane", On: day(-181), Evidence: "Runbook"}, "stale since"},
		"from the future":        {answers.Attestation{By: "Jane", On: day(2), Evidence: "Runbook"}, "it is dated"},
		"a dead link":            {answers.Attestation{By: "Jane", On: day(-10), Evidence: server.URL + "/nowhere"}, "404"},
		"a link behind a login":  {answers.Attestation{By: "Jane", On: day(-10), Evidence: server.URL + "/login"}, "401"},
		"a link to nobody":       {answers.Attestation{By: "Jane", On: day(-10), Evidence: gone.URL}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			current = &record{}
			f := examine(t.Context(), "goLive.rollback", c.a)
			switch {
			case c.want == "" && f != nil:
				t.Errorf("refused: %v", f)
			case c.want != "" && f == nil:
				t.Errorf("accepted, want %q", c.want)
			case c.want != "" && !strings.Contains(f.Error(), c.want):
				t.Errorf("the message lacks %q:\n%v", c.want, f)
			case f != nil && (f.Undecided || !strings.Contains(f.Do, "goLive.rollback")):
				t.Errorf("it must fail and name the key to set: %+v", f)
			}
		})
	}
}

// What was not measured does not pass: it is attested, by its written part.
func TestOnlyWritten(t *testing.T) {
	current = &record{}
	OnlyWritten("the lists are empty")
	if current.verdict != verdict.Attested || len(current.evidence) != 1 {
		t.Errorf("%q, %v", current.verdict, current.evidence)
	}
}
