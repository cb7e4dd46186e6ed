package check

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/checklist"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/verdict"
)

// linkTimeout bounds the look at an attestation's link.
const linkTimeout = 15 * time.Second

// requireAnswer ends the check as not answered where the answers file leaves out what the
// item is compared with, or what else its check needs.
func requireAnswer(item checklist.Item) {
	requireKeys(append([]string{item.Answer}, item.Needs...), 3)
}

// namespaceKey is the one answer that the command line may give as well.
const namespaceKey = "cluster.namespace"

// insteadOf names the answers that take the place of another: with the Gateway API, a Gateway
// does what elsewhere an IngressClass does.
var insteadOf = map[string]string{"ingress.className": "ingress.gateway"}

// answered tells whether a key, or what takes its place, is in the answers file.
func answered(key string) bool {
	if key == namespaceKey && session.config.Namespace != "" {
		return true
	}
	_, set := session.answers.At(key)
	if instead, known := insteadOf[key]; known && !set {
		_, set = session.answers.At(instead)
	}
	return set
}

// Require ends the check as not answered where one of these keys of the answers file is
// missing: for a key that is needed only because of what another one says.
func Require(keys ...string) { requireKeys(keys, 2) }

func requireKeys(keys []string, skip int) {
	var missing []string
	for _, key := range keys {
		if key == "" {
			continue
		}
		if !answered(key) {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		notAnswered("set "+strings.Join(missing, ", ")+" in the answers file", skip)
	}
}

// requireWritten holds a measured item to its written part, where it has one.
func requireWritten(ctx context.Context, item checklist.Item) {
	if item.Written == "" {
		return
	}
	value, set := session.answers.At(item.Written)
	if !set {
		notAnswered(fmt.Sprintf("measured and as it should be, but the written part is missing: set %s in the answers file", item.Written), 2)
	}
	if f := examine(ctx, item.Written, value); f != nil {
		end(f, 1)
	}
}

// attest ends the item as attested, or as failed if the attestation is stale or its link
// is dead. An answer that holds no attestation of its own is vouched for by the file.
func attest(ctx context.Context, item checklist.Item, path string) {
	value, _ := session.answers.At(path)
	if f := examine(ctx, path, value); f != nil {
		end(f, 2)
	}
	current.edit(func() { current.verdict = verdict.Attested })
}

// examine holds one attestation against the calendar and asks whether its link answers.
func examine(ctx context.Context, path string, value any) *finding.Finding {
	attester, ok := value.(answers.Attester)
	if !ok {
		return finding.NotDecided("an attestation at "+path, fmt.Sprintf("a %T", value),
			"a defect of this suite: the item's answer cannot be vouched for", "report it")
	}
	a, now := attester.Vouched(), time.Now()
	if missing := a.Missing(); len(missing) > 0 {
		notAnswered("the attestation is incomplete: set "+path+"."+strings.Join(missing, ", "+path+"."), 3)
	}
	Evidence("attested by", a.By)
	Evidence("attested on", a.On.String())
	Evidence("evidence", a.Evidence)
	if a.On.After(now) {
		return finding.Failed("an attestation of today or earlier at "+path, "it is dated "+a.On.String(), "a slip of the pen", "correct "+path+".on")
	}
	if until := a.Expires(); !now.Before(until) {
		return finding.Failed("a current attestation at "+path, fmt.Sprintf("attested by %s on %s; stale since %s", a.By, a.On, until.Format(time.DateOnly)),
			"its validUntil has passed, or it has none and is older than 180 days",
			"have it confirmed again, and set "+path+".on and "+path+".validUntil")
	}
	if link, ok := a.Link(); ok {
		return examineLink(ctx, path+".evidence", link.String(), nil)
	}
	return nil
}

// LinkAnswers ends the check as failed where a link of the answers file, at key, does not
// answer with success. login may add credentials to the request; it may be nil.
func LinkAnswers(ctx context.Context, key, link string, login func(*http.Request)) {
	if f := examineLink(ctx, key, link, login); f != nil {
		end(f, 1)
	}
}

// examineLink asks whether a link answers.
func examineLink(ctx context.Context, key, link string, login func(*http.Request)) *finding.Finding {
	Step("ask whether %s answers", link)
	ctx, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return finding.Failed("a link at "+key, link, "it is no URL: "+err.Error(), "correct "+key)
	}
	request.Header.Set("User-Agent", userAgent(current.item.ID))
	if login != nil {
		login(request)
	}
	response, err := linkClient().Do(request)
	if err != nil {
		return finding.Failed(link+" answers", err.Error(),
			"the document moved, its host is down, or the runner cannot reach it", "open the link from where the runner stands; correct "+key).Because(err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode >= http.StatusBadRequest {
		return finding.Failed(link+" answers", response.Status, "the document moved, its host has trouble, or it asks for a login that the runner does not have",
			"open the link; give one that answers the runner, or a document's name, at "+key)
	}
	Evidence("link", response.Status)
	return nil
}
