package seed

import (
	"encoding/base64"
	"encoding/json"
	"testing"
)

func TestManifests(t *testing.T) {
	entries, err := manifests.ReadDir("manifests")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := manifests.ReadFile("manifests/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		objects, err := parse(content)
		if err != nil || len(objects) == 0 {
			t.Errorf("%s: %d objects, error %v", entry.Name(), len(objects), err)
		}
		for _, object := range objects {
			if object.GetKind() == "" || object.GetAPIVersion() == "" || object.GetName() == "" {
				t.Errorf("%s holds an object without kind, version or name: %v", entry.Name(), object.Object)
			}
		}
	}
}

func TestParse(t *testing.T) {
	objects, err := parse([]byte("# only a comment\n---\nkind: A\n---\n---\nkind: B\n"))
	if err != nil || len(objects) != 2 || objects[1].GetKind() != "B" {
		t.Errorf("got %v, error %v", objects, err)
	}
	if _, err := parse([]byte("kind: [")); err == nil {
		t.Error("broken YAML was read")
	}
}

func TestDockerConfig(t *testing.T) {
	content, err := DockerConfig("registry:5000", "user", "pass:word")
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Auths map[string]struct{ Username, Password, Auth string }
	}
	if err := json.Unmarshal(content, &parsed); err != nil {
		t.Fatal(err)
	}
	login := parsed.Auths["registry:5000"]
	auth, err := base64.StdEncoding.DecodeString(login.Auth)
	if err != nil || string(auth) != "user:pass:word" || login.Username != "user" || login.Password != "pass:word" {
		t.Errorf("got %+v, %q, %v", login, auth, err)
	}
}
