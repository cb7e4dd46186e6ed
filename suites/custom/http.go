package custom

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

// proveHTTP sends the request and holds the answer against what is expected of it.
func proveHTTP(ctx context.Context, h answers.HTTPCheck) error {
	rule, err := compileBody(h)
	if err != nil {
		return err
	}
	authorities, err := readCA(h.CAFile)
	if err != nil {
		return err
	}
	options := probe.ConnectOptions{CAs: authorities, Method: string(h.Method), Header: headers(ctx, h), Status: statusOf(h),
		Proxy: proxyFor(h.URL, check.Answers().Runner.Proxies, h.From), Timeout: connectTimeout}
	expected := fmt.Sprintf("%s %s is answered with %d", orElse(string(h.Method), http.MethodGet), h.URL, statusOf(h))
	var result probe.Connection
	if h.From == answers.FromPod {
		result, err = askFromPod(ctx, h, options, expected)
	} else {
		check.Step("ask %s", h.URL)
		result = trusting(ctx, options, h.CAFile != "", func(ctx context.Context, o probe.ConnectOptions) probe.Connection {
			return probe.HTTP(ctx, h.URL, o)
		})
	}
	if err != nil {
		return err
	}
	check.Evidence("status", result.Status)
	check.Evidence("steps", steps(result))
	if !result.OK() {
		return broken(result, expected, h.From)
	}
	return judgeBody(ctx, h, rule, result.Body)
}

func statusOf(h answers.HTTPCheck) int {
	if h.ExpectStatus == nil {
		return http.StatusOK
	}
	return *h.ExpectStatus
}

// askFromPod sends a GET from a pod. The probe does not bring bodies back: what it leaves
// behind can be read by everybody who may see pods.
func askFromPod(ctx context.Context, h answers.HTTPCheck, options probe.ConnectOptions, expected string) (probe.Connection, error) {
	if h.ExpectBody != "" || h.Expect != "" || orElse(string(h.Method), http.MethodGet) != http.MethodGet {
		return probe.Connection{}, finding.NotDecided(expected+", as written", "from a pod, only the status of a GET is looked at",
			"what a pod reports can be read by everybody who may see pods", "leave out expect, expectBody and method, or ask from: runner")
	}
	pod := probeArgs("http", h.URL, options)
	if err := withHeaders(ctx, &pod, options.Header); err != nil {
		return probe.Connection{}, notRun(err, expected)
	}
	check.Step("ask %s from a pod", h.URL)
	return fromPod[probe.Connection](ctx, pod, expected)
}

func compileBody(h answers.HTTPCheck) (*expression, error) {
	if h.Expect == "" {
		return nil, nil
	}
	rule, err := compile(h.Expect, bodyVariable)
	if err != nil {
		return nil, notCompiled(h.Expect, err)
	}
	return rule, nil
}

// judgeBody holds the body against the pattern and the expression. It quotes only what the
// expression looks at: the rest may hold anything.
func judgeBody(ctx context.Context, h answers.HTTPCheck, rule *expression, body []byte) error {
	if h.ExpectBody != "" {
		pattern, err := regexp.Compile(h.ExpectBody)
		if err != nil {
			return finding.NotDecided("a regular expression in the answers file", err.Error(), "a slip of the pen", "correct the check's expectBody").Because(err)
		}
		if !pattern.Match(body) {
			return finding.Failed("the answer of "+h.URL+" matches "+h.ExpectBody, fmt.Sprintf("none of its %d bytes do", len(body)),
				"the server is not as it should be, or answers with another page", "open the address by hand")
		}
	}
	if rule == nil {
		return nil
	}
	expected := "the answer of " + h.URL + ": " + h.Expect
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return finding.Failed(expected, "the answer is no JSON", "the server answers with a page, or with more than 64 KiB", "open the address by hand").Because(err)
	}
	holds, seen, err := rule.holds(ctx, bodyVariable, value)
	switch {
	case err != nil:
		return finding.Failed(expected, err.Error(), "the answer lacks a field that the expression reads", "ask with has(…) whether it is there").Because(err)
	case !holds:
		return finding.Failed(expected, "it is not so: "+seen, "the server is not as the company wants it", "correct the server, or the check's expression")
	}
	return nil
}
