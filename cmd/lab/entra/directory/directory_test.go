package directory

import (
	"os"
	"testing"
	"time"

	"aiv.internal/conformance/cmd/lab/state"
)

func TestCredential(t *testing.T) {
	dir := state.Dir(t.TempDir())
	if err := dir.Make(); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -3*60*60))
	if got := Expires(dir, now); got != "2027-03-02" {
		t.Errorf("a secret that is made now would expire on %s", got)
	}
	if err := EnsureCredential(dir, now); err != nil {
		t.Fatal(err)
	}
	first, err := ReadCredential(dir)
	if err != nil || len(first.Value) < 20 {
		t.Fatalf("%+v, %v", first, err)
	}
	// Later on, it is still the same.
	if err := EnsureCredential(dir, now.AddDate(0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	if again, err := ReadCredential(dir); err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	if got := Expires(dir, now.AddDate(0, 1, 0)); got != "2027-03-02" {
		t.Errorf("it expires on %s", got)
	}
	if info, err := os.Stat(dir.EntraSecret()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if hint := first.describe().Hint; hint != first.Value[:3] {
		t.Errorf("the hint is %q", hint)
	}
}

// TestFaultsTogether: faults may be planted in any number at once.
func TestFaultsTogether(t *testing.T) {
	now := time.Now()
	credential := Credential{Value: "value", Start: now.Add(-day), End: now.Add(300 * day)}
	broken := Lab(credential, func(string) bool { return true }, now)
	if broken.Application != nil {
		t.Error("the application is still known")
	}
	healthy := Lab(credential, func(string) bool { return false }, now)
	if healthy.Application == nil || len(healthy.Groups[0].Members) != members || len(healthy.GroupsOf(CrowdedID)) <= 200 {
		t.Error("planting a fault changed the tenant for good, or it is too small")
	}
	for _, group := range healthy.Groups {
		for _, member := range group.Members {
			if _, known := healthy.User(member); !known {
				t.Fatalf("%s has a member that does not exist: %s", group.Name, member)
			}
		}
	}
}
