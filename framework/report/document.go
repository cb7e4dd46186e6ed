// Package report turns the results of a run into what people and machines read: JUnit for
// merge requests, JSON for programs, lines and a summary for the terminal. It measures
// nothing and changes no verdict.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/verdict"
)

// SchemaVersion names the layout of report.json. It changes when a field changes its
// meaning or goes away; fields may be added under the same name.
const SchemaVersion = "conformance.aiv.internal/report/v1"

// Document is a whole report.
type Document struct {
	Schema  string  `json:"schema"`
	Run     Run     `json:"run"`
	Cluster Cluster `json:"cluster"`
	Summary []Tally `json:"summary"`
	Items   []Item  `json:"items"`
	// Problems of the run itself that belong to no item.
	Problems []string `json:"problems,omitempty"`
}

// Run says which run it was.
type Run struct {
	ID      string    `json:"id"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Answers string    `json:"answers"`
	Focus   []string  `json:"focus,omitempty"`
	Skip    []string  `json:"skip,omitempty"`
	// ExitCode is what the runner ended with.
	ExitCode    int  `json:"exitCode"`
	ReadOnly    bool `json:"readOnly,omitempty"`
	Interrupted bool `json:"interrupted,omitempty"`
}

// Cluster says what was measured, as whom.
type Cluster struct {
	Server     string `json:"server,omitempty"`
	Kubernetes string `json:"kubernetes,omitempty"`
	Namespace  string `json:"namespace,omitempty"`
	User       string `json:"user,omitempty"`
}

// Item is one line of the checklist with its result.
type Item struct {
	Title           string `json:"title"`
	Kind            string `json:"kind"`
	Section         string `json:"section"`
	SectionTitle    string `json:"sectionTitle"`
	Subsection      string `json:"subsection"`
	SubsectionTitle string `json:"subsectionTitle"`
	verdict.Result
}

// Tally counts the verdicts of one section.
type Tally struct {
	Section string                  `json:"section"`
	Title   string                  `json:"title"`
	Total   int                     `json:"total"`
	Counts  map[verdict.Verdict]int `json:"counts"`
}

// Worst is the section's own verdict.
func (t Tally) Worst() verdict.Verdict {
	var all []verdict.Verdict
	for v, n := range t.Counts {
		if n > 0 {
			all = append(all, v)
		}
	}
	return verdict.Worst(all...)
}

// runSection is the place of results that are the run's own and no item's.
const runSection = "Run"

// New builds a document: items in the checklist's order, the run's own duties last. A result
// whose item the catalogue does not have is a problem of the run.
func New(catalogue *checklist.Catalogue, run Run, cluster Cluster, results []verdict.Result, problems []string) *Document {
	d := &Document{Schema: SchemaVersion, Run: run, Cluster: cluster, Problems: problems}
	byID := make(map[string]verdict.Result, len(results))
	for _, r := range results {
		byID[r.ID] = worse(byID[r.ID], r)
	}
	for _, section := range catalogue.Sections {
		tally := Tally{Section: section.ID, Title: section.Title, Counts: map[verdict.Verdict]int{}}
		for _, subsection := range section.Subsections {
			for _, item := range subsection.Items {
				result, present := byID[item.ID]
				if !present {
					continue
				}
				delete(byID, item.ID)
				d.Items = append(d.Items, Item{Title: item.Title, Kind: string(item.Kind),
					Section: section.ID, SectionTitle: section.Title,
					Subsection: subsection.ID, SubsectionTitle: subsection.Title, Result: result})
				tally.Counts[result.Verdict]++
				tally.Total++
			}
		}
		if tally.Total > 0 {
			d.Summary = append(d.Summary, tally)
		}
	}
	if result, present := byID[cleanupID]; present {
		delete(byID, cleanupID)
		d.Items = append(d.Items, Item{Title: cleanupTitle, Kind: "run", Section: runSection, SectionTitle: runTitle,
			Subsection: runSection, SubsectionTitle: runTitle, Result: result})
		d.Summary = append(d.Summary, Tally{Section: runSection, Title: runTitle, Total: 1,
			Counts: map[verdict.Verdict]int{result.Verdict: 1}})
	}
	for id, r := range byID {
		d.Problems = append(d.Problems, fmt.Sprintf("a result (%s) for %q, which the catalogue does not have", r.Verdict, id))
	}
	return d
}

const (
	cleanupID    = "cleanup"
	cleanupTitle = "Throwaway objects removed"
	runTitle     = "The run itself"
)

// worse keeps the worse of two results of one ID: the run's cleanup may be reported by
// several checks.
func worse(a, b verdict.Result) verdict.Result {
	if a.ID != "" && a.Verdict.Severity() >= b.Verdict.Severity() {
		return a
	}
	return b
}

// Results returns the plain results, as the exit code is computed from them.
func (d *Document) Results() []verdict.Result {
	out := make([]verdict.Result, len(d.Items))
	for i, item := range d.Items {
		out[i] = item.Result
	}
	return out
}

// Read reads a report.json of this suite.
func Read(path string) (*Document, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Document{}
	if err := json.Unmarshal(content, d); err != nil {
		return nil, fmt.Errorf("%s is no report.json: %w", path, err)
	}
	if d.Schema != SchemaVersion {
		return nil, fmt.Errorf("%s has the schema %q, want %q", path, d.Schema, SchemaVersion)
	}
	return d, nil
}

// JSON renders the document.
func (d *Document) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	return append(text, '\n'), nil
}
