package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
	"aiv.internal/conformance/framework/probe"
)

const (
	// defaultIdle is how long a WebSocket must be kept on which nothing is sent.
	defaultIdle = 2 * time.Minute
	// messageTime bounds a message's way to the pod and back.
	messageTime = 15 * time.Second
)

func idleTime(a answers.Ingress) time.Duration {
	if a.WebSocketIdle.Duration > 0 {
		return a.WebSocketIdle.Duration
	}
	return defaultIdle
}

// idleTest is a WebSocket that is kept idle beside the other items.
type idleTest struct {
	length time.Duration
	ended  chan error
}

// startIdle opens the WebSocket and returns at once.
func (v visitor) startIdle(ctx context.Context, length time.Duration) *idleTest {
	t := &idleTest{length: length, ended: make(chan error, 1)}
	ctx, cancel := beyond(ctx, length+3*messageTime)
	go func() {
		defer cancel()
		t.ended <- v.keepIdle(ctx, length)
	}()
	return t
}

// result waits for the test's end.
func (t *idleTest) result(ctx context.Context) error {
	check.Evidence("idle time", t.length)
	check.Step("wait until nothing was sent on a WebSocket for %v", t.length)
	select {
	case err := <-t.ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keepIdle opens a WebSocket to the pod, sends a message back and forth, nothing for a while,
// and another message. It ends early when the connection does.
func (v visitor) keepIdle(ctx context.Context, length time.Duration) error {
	connection, err := v.dialWebSocket(ctx)
	if err != nil {
		return err
	}
	defer connection.CloseNow()
	came := receive(ctx, connection)
	if err := exchange(ctx, connection, came, "before"); err != nil {
		return finding.Failed("a message on a WebSocket comes back from the pod", err.Error(),
			"the connection was upgraded, but what follows does not get through: a proxy in between inspects or buffers it",
			"switch inspection off for JupyterHub's host").Because(err)
	}
	expected := fmt.Sprintf("a WebSocket on which nothing is sent is kept for %v", length)
	began := time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case got := <-came:
		return cut(expected, time.Since(began), got.err)
	case <-time.After(length):
	}
	if err := exchange(ctx, connection, came, "after"); err != nil {
		return finding.Failed(expected, fmt.Sprintf("after %v a message got no answer: %v", length, err),
			"a firewall or load balancer forgot the connection without telling either end",
			"raise the idle time-out of what is on the way between users and the ingress controller").Because(err)
	}
	return nil
}

// dialWebSocket upgrades a connection. An answer that is none says where the upgrade is lost.
func (v visitor) dialWebSocket(ctx context.Context) (*websocket.Conn, error) {
	const expected = "a request to upgrade to a WebSocket reaches the pod and is answered 101"
	within, cancel := context.WithTimeout(ctx, messageTime)
	defer cancel()
	connection, answer, err := websocket.Dial(within, "wss://"+v.host+probe.WebSocketPath, &websocket.DialOptions{
		HTTPClient: v.client(false), HTTPHeader: http.Header{"User-Agent": {v.agent}}})
	if err == nil {
		return connection, nil
	}
	if answer == nil {
		return nil, finding.Failed(expected, fmt.Sprintf("%s: %v", outbound.TroubleOf(err), err),
			"the host is answered over HTTP, but a connection with an upgrade is dropped: a proxy in between does not let WebSockets through",
			"let WebSockets pass: without them no notebook reaches its kernel").Because(err)
	}
	found := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	if text, _ := io.ReadAll(io.LimitReader(answer.Body, echoLimit)); len(text) > 0 {
		found += fmt.Sprintf(": %q", beginning(string(text)))
	}
	why := "a proxy in between answers by itself and refuses the upgrade"
	if answer.StatusCode == http.StatusUpgradeRequired {
		why = "the pod got a plain request: a proxy in between dropped the Upgrade header, or the Connection header"
	}
	return nil, finding.Failed(expected, found, why,
		"have the ingress controller and whatever is in front of it pass Upgrade and Connection on (HTTP/1.1 to the pods): without WebSockets no notebook reaches its kernel").Because(err)
}

// message is what came on a WebSocket, or why nothing more will.
type message struct {
	text string
	err  error
}

// receive reads all the time: that is how the end of an idle connection is noticed.
func receive(ctx context.Context, connection *websocket.Conn) <-chan message {
	came := make(chan message, 1)
	go func() {
		for {
			_, text, err := connection.Read(ctx)
			select {
			case came <- message{string(text), err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return came
}

// exchange sends a text and waits for it to come back.
func exchange(ctx context.Context, connection *websocket.Conn, came <-chan message, text string) error {
	within, cancel := context.WithTimeout(ctx, messageTime)
	defer cancel()
	if err := connection.Write(within, websocket.MessageText, []byte(text)); err != nil {
		return err
	}
	select {
	case got := <-came:
		if got.err != nil {
			return got.err
		}
		if got.text != text {
			return fmt.Errorf("sent %q, and %q came back", text, beginning(got.text))
		}
		return nil
	case <-within.Done():
		return errors.Join(fmt.Errorf("nothing came back in %v", messageTime), ctx.Err())
	}
}

// cut is the finding that an idle WebSocket was closed.
func cut(expected string, after time.Duration, err error) error {
	if err == nil {
		return finding.Failed(expected, "a message came that nobody sent", "something in between speaks on the connection", "ask who runs the proxies on the way")
	}
	seconds := int(after.Round(time.Second) / time.Second)
	return finding.Failed(expected, fmt.Sprintf("it was cut after %d s: %v", seconds, err),
		"an idle time-out on the way is shorter"+usual[seconds]+": a notebook whose kernel works for longer than that without printing loses it",
		"raise the time-out for idle connections in the ingress controller and the load balancers in front").Because(err)
}

// usual are idle times after which well-known proxies cut by default, in seconds.
var usual = map[int]string{
	30: " (30 s is the default of Google's load balancers)",
	50: " (50 s is what HAProxy's examples set: timeout client, server, tunnel)",
	60: " (60 s is the default of nginx, proxy_read_timeout, and of AWS's application load balancers)",
}
