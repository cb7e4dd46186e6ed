package identity

import (
	"net/http"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/finding"
)

// Where consent cannot be read, the permission that lacks is the one that is advised.
func TestPermissionToReadConsent(t *testing.T) {
	for part, want := range map[string]string{"/servicePrincipals(appId='" + graphAppID: toReadApplications, "/oauth2PermissionGrants": toReadGrants} {
		c, d, _ := newCloud(t)
		c.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, part) {
				return false
			}
			refuseGraph(w, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
			return true
		}
		err := provePermission(t.Context(), d, userRead, answers.Delegated)
		if f := finding.As(err); f == nil || !f.Undecided || !strings.Contains(f.Do, want) {
			t.Errorf("%s: %v", part, err)
		}
	}
}
