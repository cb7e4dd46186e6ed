package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"aiv.internal/conformance/framework/verdict"
)

// caseLimit bounds one case's text, in bytes: GitLab takes 30 MB a file, and nobody reads
// more than this of one case.
const caseLimit = 64 << 10

// The elements hold what GitLab reads (name, classname, file, time and the text bodies of
// failure, error and skipped) and the attributes that other tools count with. No element
// has a message attribute without a text: GitLab would lose the message.
type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Timestamp  string           `xml:"timestamp,attr,omitempty"`
	Properties *junitProperties `xml:"properties,omitempty"`
	Cases      []junitCase      `xml:"testcase"`
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"`
	seconds  float64
}

type junitProperties struct {
	Properties []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name       string           `xml:"name,attr"`
	ClassName  string           `xml:"classname,attr"`
	File       string           `xml:"file,attr,omitempty"`
	Time       string           `xml:"time,attr"`
	Properties *junitProperties `xml:"properties,omitempty"`
	Failure    *junitText       `xml:"failure"`
	Error      *junitText       `xml:"error"`
	Skipped    *junitText       `xml:"skipped"`
	SystemOut  *junitText       `xml:"system-out"`
}

type junitText struct {
	Text string `xml:",chardata"`
}

// JUnit renders the document as GitLab and others read it: one suite a section, one case
// an item. Names carry no data of the run, because GitLab knows a case by its names.
func (d *Document) JUnit() ([]byte, error) {
	root := junitSuites{Name: "AIV production requirements"}
	var suite *junitSuite
	section := ""
	for _, item := range d.Items {
		if suite == nil || item.Section != section {
			root.Suites = append(root.Suites, junitSuite{Name: heading(item.Section, item.SectionTitle), Properties: d.properties()})
			suite, section = &root.Suites[len(root.Suites)-1], item.Section
			if !d.Run.Started.IsZero() {
				suite.Timestamp = d.Run.Started.UTC().Format("2006-01-02T15:04:05")
			}
		}
		suite.Cases = append(suite.Cases, item.junit())
		suite.count(item.Result)
		root.count(item.Result)
	}
	if len(d.Problems) > 0 {
		root.Suites = append(root.Suites, d.problemSuite())
		root.Tests, root.Errors = root.Tests+1, root.Errors+1
	}
	root.Time = seconds(d.Run.Seconds)
	for i := range root.Suites {
		root.Suites[i].Time = seconds(root.Suites[i].seconds)
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	encoder := xml.NewEncoder(&out)
	encoder.Indent("", "  ")
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("encode JUnit: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func (d *Document) properties() *junitProperties {
	return &junitProperties{[]junitProperty{
		{"run", d.Run.ID}, {"version", d.Run.Version}, {"kubernetes", d.Cluster.Kubernetes}, {"namespace", d.Cluster.Namespace},
	}}
}

// problemSuite is the one error case of a run that broke: it says why other cases are
// missing or undecided.
func (d *Document) problemSuite() junitSuite {
	suite := junitSuite{Name: heading(runSection, runTitle), Cases: []junitCase{{
		Name: "The run came to its end", ClassName: runTitle, Time: seconds(0),
		Error: text(strings.Join(d.Problems, "\n")),
	}}}
	suite.Tests, suite.Errors = 1, 1
	return suite
}

func (c *junitCounts) count(r verdict.Result) {
	c.Tests++
	c.seconds += r.Seconds
	switch junitElement(r.Verdict) {
	case "failure":
		c.Failures++
	case "error":
		c.Errors++
	case "skipped":
		c.Skipped++
	}
}

// junitElement maps a verdict to the element that stands for it, "" for a plain case.
func junitElement(v verdict.Verdict) string {
	switch v {
	case verdict.Passed, verdict.Attested:
		return ""
	case verdict.Failed:
		return "failure"
	case verdict.NotAnswered, verdict.NotApplicable, verdict.Waived, verdict.Unchecked:
		return "skipped"
	default:
		return "error"
	}
}

func (i Item) junit() junitCase {
	c := junitCase{
		Name:      i.ID + " " + i.Title,
		ClassName: heading(i.Subsection, i.SubsectionTitle),
		File:      i.File,
		Time:      seconds(i.Seconds),
	}
	if i.ID == cleanupID {
		c.Name = i.Title
	}
	for _, e := range i.Evidence {
		if c.Properties == nil {
			c.Properties = &junitProperties{}
		}
		c.Properties.Properties = append(c.Properties.Properties, junitProperty{e.Key, clip(valid(plain(e.Value)))})
	}
	switch junitElement(i.Verdict) {
	case "failure":
		c.Failure = text(i.Explanation())
	case "error":
		c.Error = text(i.Explanation())
	case "skipped":
		c.Skipped = text(i.Explanation())
	}
	if (c.Failure != nil || c.Error != nil) && i.Log != "" {
		c.SystemOut = text(i.Log)
	}
	return c
}

// Explanation says, for the person who must act, why an item is not simply passed.
func (i Item) Explanation() string {
	var b strings.Builder
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", label+":", strings.ReplaceAll(strings.TrimSpace(value), "\n", "\n          "))
		}
	}
	line(string(i.Verdict), i.Reason)
	if f := i.Finding; f != nil {
		if f.Undecided {
			b.WriteString("This could not be decided; it is neither met nor failed.\n")
		}
		line("expected", f.Expected)
		line("found", f.Found)
		line("why", f.Why)
		line("do", f.Do)
	}
	line("simulated", simulated(i.Result))
	for _, w := range i.Warnings {
		line("warning", strings.Join(nonEmpty(w.Found, w.Why, w.Do), "; "))
	}
	if !i.Verdict.Met() {
		line("call", i.Contact)
	}
	return strings.TrimRight(b.String(), "\n")
}

// plain is a value as a property shows it: text as it is, everything else in JSON, because
// Go's own form of a map or list is for Go programmers.
func plain(value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// simulatedKey is that of the evidence with which a check says that what it found only stands
// for the real thing.
const simulatedKey = "simulated"

// simulated says what only stands for a real thing in a result, "" if nothing does.
func simulated(r verdict.Result) string {
	for _, e := range r.Evidence {
		if e.Key == simulatedKey {
			return plain(e.Value)
		}
	}
	return ""
}

func nonEmpty(parts ...string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

func heading(id, title string) string {
	if id == title || id == runSection {
		return title
	}
	return id + " " + title
}

func seconds(s float64) string {
	return fmt.Sprintf("%.3f", time.Duration(s*float64(time.Second)).Seconds())
}

func text(s string) *junitText { return &junitText{clip(valid(s))} }

// clip keeps the head and the tail of an overlong text.
func clip(s string) string {
	if len(s) <= caseLimit {
		return s
	}
	half := caseLimit/2 - 32
	head, tail := s[:half], s[len(s)-half:]
	return strings.ToValidUTF8(head, "") + fmt.Sprintf("\n… %d bytes left out …\n", len(s)-2*half) + strings.ToValidUTF8(tail, "")
}

// valid drops what XML 1.0 does not allow: one such rune would cost the whole file.
func valid(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r < 0x20 || r == utf8.RuneError || (r >= 0xD800 && r <= 0xDFFF) || r == 0xFFFE || r == 0xFFFF:
			return -1
		}
		return r
	}, s)
}
