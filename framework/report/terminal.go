package report

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/progress"
	"aiv.internal/conformance/framework/verdict"
)

// Terminal prints a run while it happens: one line an item as its check ends and, on a
// terminal, a last line of what runs. It is safe for concurrent use.
type Terminal struct {
	mu        sync.Mutex
	out       io.Writer
	style     Style
	catalogue *checklist.Catalogue
	running   []string
	ended     int
	total     int
	liveShown bool
	// told holds the findings that were printed: dozens of items may share one cause.
	told map[string]string
}

// Style is how much a terminal can show.
type Style struct {
	// Color allows ANSI colours.
	Color bool
	// Live allows a line that is overwritten, which only a real terminal can.
	Live bool
	// Sections prints GitLab's markers, which fold a job's log.
	Sections bool
	// Width of the terminal in columns; 0 means unknown.
	Width int
}

// NewTerminal prints to out the progress of total checks.
func NewTerminal(out io.Writer, style Style, catalogue *checklist.Catalogue, total int) *Terminal {
	return &Terminal{out: out, style: style, catalogue: catalogue, total: total, told: map[string]string{}}
}

// marks are the words and signs of the verdicts, and the ANSI colour of each.
var marks = map[verdict.Verdict]struct{ word, sign, color string }{
	verdict.Passed:        {"PASS", "✔", "32"},
	verdict.Attested:      {"ATTESTED", "✔", "32"},
	verdict.Failed:        {"FAIL", "✘", "31;1"},
	verdict.Undecided:     {"UNDECIDED", "?", "35"},
	verdict.Unchecked:     {"NO CHECK YET", "·", "90"},
	verdict.NotAnswered:   {"NOT ANSWERED", "-", "33"},
	verdict.NotApplicable: {"N/A", "·", "90"},
	verdict.Waived:        {"WAIVED", "~", "33"},
}

func (t *Terminal) mark(v verdict.Verdict) string {
	m := marks[v]
	return t.color(fmt.Sprintf("%s %-12s", m.sign, m.word), m.color)
}

func (t *Terminal) color(s, code string) string {
	if !t.style.Color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Began implements launch.Observer.
func (t *Terminal) Began(run progress.Run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if run.Server != "" {
		t.line(fmt.Sprintf("cluster %s (Kubernetes %s), namespace %s, as %s", run.Server, orUnknown(run.Kubernetes), run.Namespace, orUnknown(run.User)))
	}
}

// Started implements launch.Observer.
func (t *Terminal) Started(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = append(t.running, id)
	t.live()
}

// Ended implements launch.Observer.
func (t *Terminal) Ended(r verdict.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := slices.Index(t.running, r.ID); at >= 0 {
		t.running = slices.Delete(t.running, at, at+1)
	}
	t.ended++
	item, known := t.catalogue.Item(r.ID)
	if !known {
		item.ID, item.Title = "", cleanupTitle
	}
	t.line(fmt.Sprintf("%s %-9s %s%s", t.mark(r.Verdict), item.ID, item.Title, t.after(r)))
	t.explain(r)
	t.live()
}

// explain prints what stands in the way; in full only the first time that it is met.
func (t *Terminal) explain(r verdict.Result) {
	for _, w := range r.Warnings {
		t.line(indent + t.color("warning: ", "33") + strings.Join(nonEmpty(w.Found, w.Do), "; "))
	}
	if r.Verdict != verdict.Failed && r.Verdict != verdict.Undecided {
		return
	}
	r.Warnings = nil
	text := Item{Result: r}.Explanation()
	if first, told := t.told[text]; told {
		t.line(indent + "for the same reason as " + first)
		return
	}
	t.told[text] = r.ID
	for l := range strings.Lines(text) {
		t.line(indent + strings.TrimRight(l, "\n"))
	}
}

// indent puts what belongs to an item under its ID.
const indent = "               "

// after is what stands behind the title: that what was checked is only simulated, the time
// that a check took, where that is worth a look, and why it was not made.
func (t *Terminal) after(r verdict.Result) string {
	out := ""
	if simulated(r) != "" {
		out += t.color("  (simulated)", "33")
	}
	if r.Seconds >= 0.1 {
		out += t.color(fmt.Sprintf("  %.1fs", r.Seconds), "90")
	}
	if r.Reason != "" && r.Verdict != verdict.Unchecked {
		out += t.color("  "+firstLine(r.Reason), "90")
	}
	return out
}

// Interrupted implements launch.Observer.
func (t *Terminal) Interrupted(s os.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line(fmt.Sprintf("%v: the checks that run are cleaned up now; a second signal gives up on that", s))
}

// line prints above the live line.
func (t *Terminal) line(s string) {
	if t.liveShown {
		fmt.Fprint(t.out, "\r\x1b[K")
		t.liveShown = false
	}
	fmt.Fprintln(t.out, s)
}

func (t *Terminal) live() {
	if !t.style.Live {
		return
	}
	text := fmt.Sprintf("%d/%d", t.ended, t.total)
	if len(t.running) > 0 {
		text += "  running " + strings.Join(t.running, " ")
	}
	if width := t.style.Width; width > 1 && len(text) >= width {
		text = text[:width-1]
	}
	fmt.Fprint(t.out, "\r\x1b[K"+t.color(text, "36"))
	t.liveShown = true
}

// Derived prints the items that are computed after the last check.
func (t *Terminal) Derived(results []verdict.Result) {
	for _, r := range results {
		t.Ended(r)
	}
}

// Summary prints the table by section and what the run means.
func (t *Terminal) Summary(d *Document, files []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.liveShown {
		fmt.Fprint(t.out, "\r\x1b[K")
		t.liveShown = false
	}
	if t.style.Sections {
		fmt.Fprintf(t.out, "\x1b[0Ksection_start:%d:summary\r\x1b[0K", d.Run.Started.Unix())
	}
	fmt.Fprintln(t.out)
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	columns := []verdict.Verdict{verdict.Passed, verdict.Attested, verdict.Failed, verdict.Undecided, verdict.NotAnswered, verdict.Unchecked, verdict.Waived, verdict.NotApplicable}
	header := []string{"", "section"}
	for _, v := range columns {
		header = append(header, string(v))
	}
	fmt.Fprintln(table, strings.Join(header, "\t")+"\t")
	total := Tally{Counts: map[verdict.Verdict]int{}}
	for _, tally := range d.Summary {
		row := []string{marks[tally.Worst()].sign, heading(tally.Section, tally.Title)}
		for _, v := range columns {
			row = append(row, count(tally.Counts[v]))
			total.Counts[v] += tally.Counts[v]
		}
		fmt.Fprintln(table, strings.Join(row, "\t")+"\t")
	}
	row := []string{"", "all"}
	for _, v := range columns {
		row = append(row, count(total.Counts[v]))
	}
	fmt.Fprintln(table, strings.Join(row, "\t")+"\t")
	table.Flush()
	if t.style.Sections {
		fmt.Fprintf(t.out, "\x1b[0Ksection_end:%d:summary\r\x1b[0K", d.Run.Started.Unix()+int64(d.Run.Seconds))
	}
	for _, p := range d.Problems {
		fmt.Fprintln(t.out, t.color("the run itself: ", "31;1")+p)
	}
	fmt.Fprintf(t.out, "\n%s  (%.1fs, exit code %d)\n", Meaning(d.Run.ExitCode), d.Run.Seconds, d.Run.ExitCode)
	for _, file := range files {
		fmt.Fprintln(t.out, "report: "+file)
	}
}

// Meaning says an exit code of a run in words.
func Meaning(code int) string {
	switch code {
	case verdict.ExitMet:
		return "Everything that was checked is as it must be."
	case verdict.ExitNotMet:
		return "Not ready: at least one requirement is not met."
	case verdict.ExitUndecided:
		return "Not decided: something kept at least one check from an answer."
	case verdict.ExitWarnings:
		return "Nothing failed, but not everything is settled: see warnings, waivers, and what is unanswered or has no check yet."
	case verdict.ExitAborted:
		return "Given up on a second signal: objects may be left; run: runner cleanup"
	}
	return "The run could not be made."
}

func count(n int) string {
	if n == 0 {
		return "·"
	}
	return fmt.Sprint(n)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
