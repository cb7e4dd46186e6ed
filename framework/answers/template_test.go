package answers

import (
	"regexp"
	"strings"
	"testing"

	"aiv.internal/conformance/framework/checklist"
)

func found() Discovered {
	return Discovered{
		Version: "1.36", CPUNodes: new(2), GPUNodes: new(0), Namespace: "jupyterhub-prod", Zones: 2,
		GPU: DiscoveredGPU{ResourceName: "nvidia.com/gpu", Model: "NVIDIA-A100", PerNode: new(4),
			NodeSelector: map[string]string{"nvidia.com/gpu.present": "true"}, Taints: []string{"nvidia.com/gpu:NoSchedule"},
			RuntimeClass: "nvidia", DeviceClasses: []string{"gpu.nvidia.com"}},
		StorageClasses: []DiscoveredStorageClass{
			{Name: "cephfs", Provisioner: "cephfs.csi.ceph.com"},
			{Name: "ceph-rbd", Provisioner: "rook-ceph.rbd.csi.ceph.com", Default: true},
		},
		SnapshotClasses:  []string{"ceph-rbd"},
		IngressClasses:   []DiscoveredIngressClass{{Name: "a", Controller: "haproxy.org/x"}, {Name: "traefik", Controller: "traefik.io/ingress-controller", Default: true}},
		IngressAddresses: []string{"10.0.10.20"},
		NamespaceTotal:   "10Ti", MaxClaim: "1Ti", PullSecrets: []string{"registry-pull"}, PodSecurity: "restricted",
		Prometheus: DiscoveredPrometheus{Operator: new(true), Namespace: "monitoring", ReleaseName: "kps"},
	}
}

func TestTemplateIsFilledWithWhatWasFound(t *testing.T) {
	text := Template(found())
	f, err := Parse("answers.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := validate(t, compiled(t), text); err != nil {
		t.Error(err)
	}
	if f.Cluster.Version != "1.36" || *f.Cluster.CPUNodes != 2 || *f.Cluster.GPUNodes != 0 || f.Cluster.Namespace != "jupyterhub-prod" {
		t.Errorf("cluster: %+v", f.Cluster)
	}
	s := f.StorageClass
	if s.Name != "ceph-rbd" || s.SharedName != "cephfs" || s.Backend != CephRBD || !*s.Default || len(s.AccessModes) != 2 {
		t.Errorf("storage: %+v", s)
	}
	if f.Ingress.ClassName != "traefik" || f.Ingress.Controller != Traefik || f.Ingress.VIP != "10.0.10.20" {
		t.Errorf("ingress: %+v", f.Ingress)
	}
	if f.StorageQuotas.NamespaceTotal.String() != "10Ti" || f.StorageQuotas.PerUser != nil {
		t.Errorf("quotas: %+v", f.StorageQuotas)
	}
	if f.GPU.NodeSelector["nvidia.com/gpu.present"] != "true" || f.GPU.Taints[0] != "nvidia.com/gpu:NoSchedule" {
		t.Errorf("GPU: %+v", f.GPU)
	}
	if f.GPU.RuntimeClass != "" || f.GPU.DeviceClass != "" || !strings.Contains(string(text), "nvidia.\n  #runtimeClass: nvidia\n") {
		t.Errorf("other ways to GPUs: %+v", f.GPU)
	}
	if !strings.Contains(string(text), "# Name of the StorageClass for the volumes of users and of the hub. In the cluster: cephfs") {
		t.Error("the choice of storage classes is not noted")
	}
}

func TestAnotherVendorsPluginIsNotNVIDIAs(t *testing.T) {
	f, _ := Discovered{GPU: DiscoveredGPU{ResourceName: "amd.com/gpu"}}.file()
	if f.GPU.DevicePlugin != nil || f.GPU.ResourceName != "amd.com/gpu" {
		t.Errorf("got %+v", f.GPU)
	}
}

// Only where no node offers GPUs as a resource is the claimed way the one to take.
func TestDeviceClassIsFilledInWithoutAResource(t *testing.T) {
	d := Discovered{GPU: DiscoveredGPU{DeviceClasses: []string{"gpu.nvidia.com"}}}
	if f, _ := d.file(); f.GPU.DeviceClass != "gpu.nvidia.com" || f.GPU.DevicePlugin != nil {
		t.Errorf("got %+v", f.GPU)
	}
	d.GPU.DeviceClasses = append(d.GPU.DeviceClasses, "mig.nvidia.com")
	if f, notes := d.file(); f.GPU.DeviceClass != "" || notes["gpu.deviceClass"] != "In the cluster: gpu.nvidia.com, mig.nvidia.com." {
		t.Errorf("got %+v, %v", f.GPU, notes)
	}
}

func TestTemplateWithoutCluster(t *testing.T) {
	text := Template(Discovered{})
	f, err := Parse("answers.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, compiled(t), text); err != nil {
		t.Error(err)
	}
	c, err := checklist.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range c.Items() {
		if _, set := f.At(item.Answer); set {
			t.Errorf("%s is answered by the empty template", item.ID)
		}
	}
}

// commentedKey is a key that only waits for its # to be removed; examples of list entries are
// further below their #.
var commentedKey = regexp.MustCompile(`^( *)#([a-zA-Z0-9]+: .+)$`)

func TestEveryExampleIsAValidAnswer(t *testing.T) {
	lines := strings.Split(string(Template(Discovered{})), "\n")
	count := 0
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = line
		m := commentedKey.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		count++
		all[i] = m[1] + m[2]
	}
	if count < 200 {
		t.Errorf("only %d keys are offered", count)
	}
	text := strings.Join(all, "\n")
	f, err := Parse("answers.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, compiled(t), []byte(text)); err != nil {
		t.Error(err)
	}
	if f.Registry.Password.Env != "REGISTRY_PASSWORD" || f.Support.SLA.Uptime != 99.9 {
		t.Errorf("%+v, %+v", f.Registry, f.Support.SLA)
	}
}

// TestListExamples removes the # of the lists, and of one kind of check at a time.
func TestListExamples(t *testing.T) {
	template := string(Template(Discovered{}))
	uncomment := func(from string) string {
		start := strings.Index(template, "\n#"+from+":")
		if start < 0 {
			t.Fatalf("no example of %s", from)
		}
		block, _, _ := strings.Cut(template[start+1:], "\n\n")
		return regexp.MustCompile(`(?m)^#`).ReplaceAllString(block, "")
	}
	if _, err := Parse("answers.yaml", []byte(head+uncomment("waivers")+"\n")); err != nil {
		t.Error(err)
	}
	custom := uncomment("custom")
	for _, kind := range []string{"object", "http", "target", "image"} {
		_, err := Parse("answers.yaml", []byte(head+only(custom, kind)+"\n"))
		// Alternatives within a kind are all shown, so that only they may be complained about.
		if err != nil && !strings.Contains(err.Error(), "exactly one of") {
			t.Errorf("%s: %v\n%s", kind, err, only(custom, kind))
		}
	}
}

// only leaves out the other kinds of check.
func only(custom, keep string) string {
	var kept []string
	skip := false
	for _, line := range strings.Split(custom, "\n") {
		if m := regexp.MustCompile(`^    ([a-z]+):`).FindStringSubmatch(line); m != nil {
			skip = m[1] != keep && strings.Contains(" object http target image ", " "+m[1]+" ")
		}
		if !skip {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestQuoted(t *testing.T) {
	for text, want := range map[string]string{
		"ceph-rbd": "ceph-rbd", "true": `"true"`, "1.36": `"1.36"`, "https://a.b:1/c": "https://a.b:1/c", "a: b": `"a: b"`,
		"99 x": `"99 x"`, "a#b": `"a#b"`, "": `""`, "Jane Doe, IT": `"Jane Doe, IT"`, "a:": `"a:"`, "yes": `"yes"`,
	} {
		if got := quoted(text); got != want {
			t.Errorf("quoted(%q) = %s, expected %s", text, got, want)
		}
	}
}
