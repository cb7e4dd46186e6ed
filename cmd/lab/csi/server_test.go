package csi

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
	"sigs.k8s.io/yaml"
)

// TestNodeRegisters plays the kubelet: it asks the registration socket where the driver is
// and then the driver which node it serves.
func TestNodeRegisters(t *testing.T) {
	dir := shortTempDir(t)
	o := options{
		driver: CephFS, mode: "node", node: "node1", capacity: 1 << 40,
		kubeletDir: filepath.Join(dir, "k"), stateDir: filepath.Join(dir, "s"),
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.run(ctx) }()

	call, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn := dial(t, filepath.Join(o.kubeletDir, "plugins_registry", CephFS+"-reg.sock"))
	info, err := registration.NewRegistrationClient(conn).GetInfo(call, &registration.InfoRequest{}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	if info.GetType() != registration.CSIPlugin || info.GetName() != CephFS {
		t.Errorf("registered as %v", info)
	}
	conn = dial(t, info.GetEndpoint())
	node, err := csi.NewNodeClient(conn).NodeGetInfo(call, &csi.NodeGetInfoRequest{})
	if err != nil || node.GetNodeId() != "node1" {
		t.Errorf("node %v, %v", node, err)
	}
	plugin, err := csi.NewIdentityClient(conn).GetPluginInfo(call, &csi.GetPluginInfoRequest{})
	if err != nil || plugin.GetManifest()["simulated"] == "" {
		t.Errorf("%v, %v: the manifest must say that it is simulated", plugin, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, socket string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestWrongUse(t *testing.T) {
	for _, c := range []struct {
		name    string
		options options
		want    string
	}{
		{"no state", options{mode: "node"}, "--state-dir"},
		{"no node", options{driver: RBD, mode: "node", stateDir: t.TempDir()}, "--node"},
		{"no mode", options{driver: RBD, mode: "x", stateDir: t.TempDir()}, "--mode=x"},
		{"no driver", options{driver: "nfs", mode: "controller", stateDir: t.TempDir()}, "nfs"},
		{"no endpoint", options{driver: RBD, mode: "controller", stateDir: t.TempDir()}, "endpoint"},
		{"long path", options{driver: RBD, mode: "controller", stateDir: t.TempDir(), endpoint: "/" + strings.Repeat("x", 200)}, "107"},
	} {
		if err := c.options.run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected a word on %s", c.name, err, c.want)
		}
	}
}

func TestManifests(t *testing.T) {
	count := func(stream []byte) (kinds []string) {
		for doc := range bytes.SplitSeq(stream, []byte("\n---\n")) {
			var o struct{ Kind string }
			if err := yaml.Unmarshal(doc, &o); err != nil {
				t.Fatalf("%v in:\n%s", err, doc)
			}
			if o.Kind != "" {
				kinds = append(kinds, o.Kind)
			}
		}
		return kinds
	}
	if got := count(CRDs()); len(got) != 6 {
		t.Errorf("definitions: %v", got)
	}
	if got := count(Objects()); len(got) != 5 {
		t.Errorf("objects: %v", got)
	}
	if got := strings.Count(string(Objects()), Simulated); got < 5 {
		t.Errorf("only %d of the objects say that they are simulated", got)
	}
}

// TestDefinitionsAreTheModules compares the copies with the module that go.mod names.
func TestDefinitionsAreTheModules(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/kubernetes-csi/external-snapshotter/client/v8").Output()
	if err != nil {
		t.Skipf("the go command does not answer: %v", err)
	}
	entries, err := crds.ReadDir("crd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		ours, err := crds.ReadFile("crd/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		theirs := readFile(t, filepath.Join(strings.TrimSpace(string(out)), "config", "crd", e.Name()))
		if !bytes.HasSuffix(ours, theirs) {
			t.Errorf("%s is not the one of the module in go.mod: copy it again", e.Name())
		}
	}
}
