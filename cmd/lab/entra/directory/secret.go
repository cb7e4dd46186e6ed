package directory

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"aiv.internal/conformance/cmd/lab/state"
)

// secretLifetime is how long a new client secret is valid.
const secretLifetime = 365 * day

// Credential is the application's client secret with its value.
type Credential struct {
	Value      string
	Start, End time.Time
}

// describe returns what the directory tells about the secret: the value's first three
// characters only, as Entra does.
func (c Credential) describe() Secret {
	return Secret{KeyID: SecretKeyID, DisplayName: "jupyterhub", Hint: c.Value[:min(3, len(c.Value))], Start: c.Start, End: c.End}
}

// period is kept beside the value, which the answers refer to and which is alone in its file.
type period struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

func periodFile(dir state.Dir) string { return dir.EntraSecret() + ".json" }

// NewCredential writes a new client secret that is valid from now on, and the test user's
// password.
func NewCredential(dir state.Dir, now time.Time) error {
	start := now.UTC().Truncate(time.Second)
	validity, err := json.Marshal(period{start, start.Add(secretLifetime)})
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(dir.EntraSecret(), []byte(rand.Text()+"\n"), 0o600),
		os.WriteFile(periodFile(dir), validity, 0o600),
		os.WriteFile(dir.TestUserPassword(), []byte(TestPassword+"\n"), 0o600))
}

// EnsureCredential writes a client secret where there is none.
func EnsureCredential(dir state.Dir, now time.Time) error {
	if _, err := ReadCredential(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return NewCredential(dir, now)
}

// ReadCredential returns the client secret.
func ReadCredential(dir state.Dir) (Credential, error) {
	value, err := os.ReadFile(dir.EntraSecret())
	if err != nil {
		return Credential{}, err
	}
	validity, err := os.ReadFile(periodFile(dir))
	if err != nil {
		return Credential{}, err
	}
	var p period
	if err := json.Unmarshal(validity, &p); err != nil {
		return Credential{}, fmt.Errorf("%s: %w", periodFile(dir), err)
	}
	return Credential{Value: strings.TrimSpace(string(value)), Start: p.Start, End: p.End}, nil
}

// Expires is the last day of the client secret, as the answers say it; of one made now where
// there is none yet.
func Expires(dir state.Dir, now time.Time) string {
	end := now.UTC().Add(secretLifetime)
	if credential, err := ReadCredential(dir); err == nil {
		end = credential.End
	}
	return end.Format(time.DateOnly)
}
