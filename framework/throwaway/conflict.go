package throwaway

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// quotaConflict ends the message of a create that the quota's admission gave up: it counts by
// updating the ResourceQuota, tries that three times, and loses to others that create at the
// same moment (k8s.io/apiserver, pkg/admission/plugin/resourcequota). Nothing was created, and
// everybody else's controllers just try again.
const quotaConflict = "the object has been modified; please apply your changes to the latest version and try again"

// maxStatus bounds how much of a refusal is looked at.
const maxStatus = 64 << 10

// againAfterConflict sends creates again that lost a race for a ResourceQuota.
type againAfterConflict struct{ next http.RoundTripper }

// waits returns the pauses between the tries, about five seconds in all.
func waits() wait.Backoff {
	return wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 7}
}

// RoundTrip implements http.RoundTripper.
func (t againAfterConflict) RoundTrip(request *http.Request) (*http.Response, error) {
	backoff := waits()
	for {
		response, err := t.next.RoundTrip(request)
		if err != nil || request.Method != http.MethodPost || response.StatusCode != http.StatusConflict || request.GetBody == nil || backoff.Steps == 0 {
			return response, err
		}
		status, err := io.ReadAll(io.LimitReader(response.Body, maxStatus))
		response.Body.Close()
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(bytes.NewReader(status))
		if !bytes.Contains(status, []byte(quotaConflict)) {
			return response, nil
		}
		select {
		case <-request.Context().Done():
			return response, nil
		case <-time.After(backoff.Step()):
		}
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Body = body
	}
}
