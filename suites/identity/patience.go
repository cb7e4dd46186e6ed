package identity

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// patience sends requests under the running check's name, and asks again where a service
// says when to: Microsoft Graph throttles by design
// (https://learn.microsoft.com/graph/throttling).
type patience struct {
	http.RoundTripper
	userAgent func() string
	// limit bounds the waits of one request, together.
	limit time.Duration
}

func (p patience) RoundTrip(request *http.Request) (*http.Response, error) {
	left := p.limit
	for attempt := 0; ; attempt++ {
		sent := request.Clone(request.Context())
		sent.Header.Set("User-Agent", p.userAgent())
		if request.GetBody != nil {
			body, err := request.GetBody()
			if err != nil {
				return nil, err
			}
			sent.Body = body
		}
		response, err := p.RoundTripper.RoundTrip(sent)
		if err != nil {
			return nil, err
		}
		wait, asked := waitAsked(response, attempt)
		if !asked || wait > left {
			return response, nil
		}
		io.Copy(io.Discard, io.LimitReader(response.Body, mostOfBody))
		response.Body.Close()
		left -= wait
		timer := time.NewTimer(wait)
		select {
		case <-request.Context().Done():
			timer.Stop()
			return nil, request.Context().Err()
		case <-timer.C:
		}
	}
}

// waitAsked returns how long the service wants to be left alone; false where the answer is
// one to go by. A 429 that names no time is waited for longer each time.
func waitAsked(response *http.Response, attempt int) (time.Duration, bool) {
	throttled := response.StatusCode == http.StatusTooManyRequests
	if !throttled && response.StatusCode != http.StatusServiceUnavailable && response.StatusCode != http.StatusGatewayTimeout {
		return 0, false
	}
	text := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return max(time.Duration(seconds)*time.Second, minWait), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), minWait), true
	}
	return time.Second << min(attempt, 10), throttled
}

// minWait keeps a service that asks for no wait at all from being asked in a loop.
const minWait = 200 * time.Millisecond
