package answers

import (
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"aiv.internal/conformance/cmd/lab/entra/directory"
	"aiv.internal/conformance/cmd/lab/state"
)

func TestRender(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	content, err := Render(state.Dir("/lab"), now)
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Cluster  struct{ Version, Namespace string }
		Registry struct {
			Password struct{ File string }
		}
		Entra struct {
			LoginURL      string                `yaml:"loginUrl"`
			SecretExpires string                `yaml:"secretExpires"`
			CAFile        string                `yaml:"caFile"`
			ClientSecret  struct{ File string } `yaml:"clientSecret"`
		}
		Groups struct {
			Other []struct {
				ObjectID string `yaml:"objectId"`
			}
		}
		SignOff struct {
			TeamLead struct{ By, On string } `yaml:"teamLead"`
		} `yaml:"signOff"`
		Training struct {
			Sessions struct{ Date string }
		}
	}
	if err := yaml.Unmarshal(content, &parsed); err != nil {
		t.Fatalf("%v in\n%s", err, content)
	}
	for what, pair := range map[string][2]string{
		"version":     {parsed.Cluster.Version, "1.36"},
		"namespace":   {parsed.Cluster.Namespace, "jupyterhub-prod"},
		"password":    {parsed.Registry.Password.File, "/lab/secrets/registry-password"},
		"attested on": {parsed.SignOff.TeamLead.On, "2026-02-28"},
		"login":       {parsed.Entra.LoginURL, "https://login.aiv.internal:8443"},
		"secret":      {parsed.Entra.ClientSecret.File, "/lab/secrets/entra-client-secret"},
		"its end":     {parsed.Entra.SecretExpires, "2027-03-01"},
		"its CA":      {parsed.Entra.CAFile, "/lab/pki/ca.crt"},
		"group":       {parsed.Groups.Other[0].ObjectID, directory.OtherID},
		"training":    {parsed.Training.Sessions.Date, "2026-09-01"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	if !strings.Contains(parsed.SignOff.TeamLead.By, "simulated") {
		t.Errorf("the attestation does not say that it is simulated: %q", parsed.SignOff.TeamLead.By)
	}
}
