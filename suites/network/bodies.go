package network

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
	"aiv.internal/conformance/framework/probe"
)

const (
	// bodySize is what an upload of a notebook or data set may have, in bytes.
	bodySize = 100_000_000
	// uploadTime bounds the upload: 1 MB/s.
	uploadTime = 100 * time.Second
	// eventCount is how many server-sent events are asked for.
	eventCount = 6
)

// proveBodies sends a large request and reads an answer that comes bit by bit.
func proveBodies(ctx context.Context, v visitor) {
	check.Step("send %d bytes", int64(bodySize))
	began := time.Now()
	large := v.upload(ctx, bodySize, uploadTime)
	check.Evidence("request body in bytes", bodySize)
	check.Evidence("taken in", time.Since(began))
	check.Step("read %d server-sent events", eventCount)
	arrived, err := v.events(ctx, eventCount)
	check.Evidence("server-sent events after", arrived)
	check.NoError(both(large, judgeEvents(arrived, err)), "send and read large bodies")
}

// both joins two findings: each is a setting of its own in the ingress controller.
func both(first, second error) error {
	a, b := finding.As(first), finding.As(second)
	if a == nil || b == nil {
		return errors.Join(first, second)
	}
	if a.Undecided != b.Undecided {
		if a.Undecided {
			return b
		}
		return a
	}
	joined := finding.Failed(a.Expected+"; "+b.Expected, a.Found+"; "+b.Found, a.Why+"; "+b.Why, a.Do+"; "+b.Do)
	joined.Undecided = a.Undecided
	return joined
}

// upload sends a body of that size within a time, none of it held in memory, and has the pod
// count it.
func (v visitor) upload(ctx context.Context, size int64, within time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	expected := fmt.Sprintf("a request body of %d MB reaches the pod", size/1_000_000)
	body, answer, err := v.post(limited, size, false)
	sent := body.sent.Load()
	// What lies in buffers on a slow line is seconds long, in which nothing more is taken.
	if err != nil && sent < size && ctx.Err() == nil && limited.Err() != nil && body.flowed(within/4) {
		return tooSlow(expected, sent, within).Because(err)
	}
	if err != nil && sent < size && outbound.TroubleOf(err) == outbound.Broken {
		// Who closes a connection while still being sent to often answers before, unheard. Asked
		// first whether it may come, such a server says why it may not.
		if _, again, asked := v.post(limited, size, true); asked == nil {
			answer, err = again, nil
		}
	}
	if err != nil {
		trouble := outbound.TroubleOf(err)
		if trouble == outbound.Interrupted || ctx.Err() != nil {
			return err
		}
		return finding.Failed(expected, fmt.Sprintf("%s after %d bytes: %v", trouble, sent, err),
			"a proxy on the way limits the size or the time of a request", "raise the limits of body size and request time for JupyterHub's host").Because(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, echoLimit))
	var sunk probe.Sunk
	if answer.StatusCode == http.StatusOK && json.Unmarshal(text, &sunk) == nil && sunk.Token != "" {
		if sunk.Bytes == size {
			return nil
		}
		return finding.Failed(expected, fmt.Sprintf("only %d bytes of it came", sunk.Bytes), "a proxy on the way cut it off", "raise the limit of the body size for JupyterHub's host")
	}
	found := fmt.Sprintf("%d %s after %d bytes were sent", answer.StatusCode, http.StatusText(answer.StatusCode), sent)
	if server := answer.Header.Get("Server"); server != "" {
		found += ", from server " + server
	}
	why := "a proxy on the way answers by itself"
	if answer.StatusCode == http.StatusRequestEntityTooLarge {
		why = "the ingress controller, or a proxy in front, limits the size of a request body: users upload notebooks and data in one"
	}
	return finding.Failed(expected, found, why,
		"raise the limit (ingress-nginx: the annotation nginx.ingress.kubernetes.io/proxy-body-size, answered in ingress.annotations; Traefik: the buffering middleware; others: their request size)")
}

// tooSlow says that our own time was over while the body was still on its way: a limit may be
// there or not, nobody has met it.
func tooSlow(expected string, sent int64, within time.Duration) *finding.Finding {
	megabytes := float64(sent) / 1_000_000
	return finding.NotDecided(expected, fmt.Sprintf("%.1f MB of it were taken in %v, which is %.2f MB/s, and it was still being taken then", megabytes, within, megabytes/within.Seconds()),
		"the line between this runner and the load balancer is slow, or something on the way slows uploads down: whether their size is limited was not seen",
		"run it from where the line is faster; if it is as slow for users, see what slows it down")
}

// post sends the body. It returns the body too, which tells how much of it was taken off our hands.
func (v visitor) post(ctx context.Context, size int64, askFirst bool) (*filler, *http.Response, error) {
	body := &filler{left: size}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url(probe.SinkPath), body)
	if err != nil {
		return body, nil, err
	}
	request.ContentLength = size
	request.Header.Set("User-Agent", v.agent)
	request.Header.Set("Content-Type", "application/octet-stream")
	client := v.client(true)
	if askFirst {
		request.Header.Set("Expect", "100-continue")
		client.Transport.(*http.Transport).ExpectContinueTimeout = visitTime
	}
	answer, err := client.Do(request)
	return body, answer, err
}

// filler is a body without meaning, made while it is read.
type filler struct {
	left int64
	sent atomic.Int64
	// last is when some of it was taken last, in nanoseconds since 1970.
	last atomic.Int64
}

// flowed says that some of it was taken in the time just past.
func (f *filler) flowed(within time.Duration) bool {
	return time.Since(time.Unix(0, f.last.Load())) < within
}

func (f *filler) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), f.left)]
	for i := range p {
		p[i] = byte('a' + i%26)
	}
	f.left -= int64(len(p))
	f.sent.Add(int64(len(p)))
	f.last.Store(time.Now().UnixNano())
	return len(p), nil
}

// events returns after what time each of the server-sent events came.
func (v visitor) events(ctx context.Context, count int) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, visitTime+time.Duration(count)*probe.EventPause)
	defer cancel()
	began := time.Now()
	answer, err := v.send(ctx, v.client(true), http.MethodGet, fmt.Sprintf("%s?count=%d", probe.EventsPath, count), nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", answer.Status)
	}
	var arrived []time.Duration
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			arrived = append(arrived, time.Since(began).Round(time.Millisecond))
		}
	}
	return arrived, lines.Err()
}

// judgeEvents finds that events did not come when they were sent, or not all of them.
func judgeEvents(arrived []time.Duration, err error) error {
	const expected = "server-sent events come one by one, as the pod sends them"
	const why = "the ingress controller or a proxy in front keeps an answer until it is complete"
	const do = "switch response buffering off for JupyterHub's host (ingress-nginx: nginx.ingress.kubernetes.io/proxy-buffering: \"off\"; Traefik: no buffering middleware): " +
		"JupyterHub shows the progress of a starting server this way, and users see a page that stands still"
	if err != nil && outbound.TroubleOf(err) == outbound.Interrupted {
		return err
	}
	if err != nil || len(arrived) < eventCount {
		return finding.Failed(expected, fmt.Sprintf("%d of %d came: %v", len(arrived), eventCount, errOr(err, "the answer ended early")), why, do)
	}
	apart := time.Duration(eventCount-1) * probe.EventPause
	if spread := arrived[len(arrived)-1] - arrived[0]; spread < apart/2 {
		return finding.Failed(expected, fmt.Sprintf("all %d came within %v of each other, %v after the request; they were sent over %v", eventCount, spread, arrived[0], apart), why, do)
	}
	return nil
}

// errOr is err, or the words where there is none.
func errOr(err error, words string) error {
	if err != nil {
		return err
	}
	return errors.New(words)
}
