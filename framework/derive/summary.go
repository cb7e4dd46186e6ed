package derive

import (
	"context"
	"fmt"
	"os"
	"strings"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/verdict"
)

// contacts computes S.2: every Contact field of the checklist names somebody who can be
// reached.
func (o Options) contacts() verdict.Result {
	var missing []string
	total := 0
	for _, named := range o.Answers.Contacts() {
		total++
		if named.Contact.Name == "" || !named.Contact.Reachable() {
			missing = append(missing, named.Path)
		}
	}
	evidence := []verdict.Evidence{{Key: "contacts", Value: total}}
	if len(missing) > 0 {
		return verdict.Result{Verdict: verdict.NotAnswered, Evidence: evidence,
			Reason: fmt.Sprintf("%d of %d contacts lack a name or a way to reach them: set %s", len(missing), total, strings.Join(missing, ", "))}
	}
	return verdict.Result{Verdict: verdict.Passed, Evidence: evidence}
}

// credentials computes S.3. That the answers file holds none itself was settled when it was
// loaded; what is left is that each reference leads to something, and that a file which
// holds a credential is not everybody's to read.
func (o Options) credentials() verdict.Result {
	r := verdict.Result{Verdict: verdict.Passed}
	var dead, open []string
	references := o.Answers.Secrets()
	for _, named := range references {
		reference := named.Secret
		if reference.Kubernetes != nil {
			continue // whether it can be read shows in the item that uses it
		}
		if _, err := reference.Resolve(context.Background(), nil); err != nil {
			dead = append(dead, fmt.Sprintf("%s: %v", named.Path, err))
		}
		if mode, exposed := readableByAll(reference.File); exposed {
			open = append(open, fmt.Sprintf("%s (%s, mode %04o)", named.Path, reference.File, mode))
		}
	}
	r.Evidence = []verdict.Evidence{{Key: "references to credentials", Value: len(references)}}
	switch {
	case len(open) > 0:
		r.Verdict = verdict.Failed
		r.Finding = finding.Failed("credentials that only their owner can read", "files that everybody on this machine can read: "+strings.Join(open, "; "),
			"the files were made with an open umask", "chmod 600 them, or keep the values in Kubernetes Secrets")
	case len(dead) > 0:
		r.Verdict = verdict.Undecided
		r.Finding = finding.NotDecided("references that lead to a credential", strings.Join(dead, "; "),
			"the variable or file is not there where the runner runs", "set it, or correct the answers file")
	}
	return r
}

// readableByAll tells whether others than a file's owner can read it. Inside a pod nobody
// else is there, and mounted Secrets have mode 0644 unless somebody says otherwise.
func readableByAll(file string) (os.FileMode, bool) {
	if file == "" || os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return 0, false
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, false
	}
	mode := info.Mode().Perm()
	return mode, mode&0o004 != 0
}
