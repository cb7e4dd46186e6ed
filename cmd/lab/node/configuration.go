package node

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/images"
	"aiv.internal/conformance/cmd/lab/kubeconfig"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/require"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

//go:embed templates
var templates embed.FS

// values are what the configuration templates may use.
type values struct {
	topology.Node
	State         string
	CNIPlugins    string
	PauseImage    string
	Registry      string
	CA            string
	ClusterCA     string
	Certificate   string
	Kubeconfig    string
	PodRange      string
	DNS           string
	ClusterDomain string
	KubeletRoot   string
	ResolvConf    string
	GPUHandler    string
	GPURuntime    string
}

// CNIFolder holds the node's network configuration; without it the node is not ready.
func CNIFolder(dir state.Dir, node string) string { return dir.Node(node, "cni") }

// Configure writes the configuration of everything on the node, as far as it is not there.
func Configure(dir state.Dir, node topology.Node) error {
	input := values{
		Node:          node,
		State:         dir.Node(node.Name),
		CNIPlugins:    require.CNIPlugins,
		PauseImage:    images.Pause.Tag,
		Registry:      topology.Registry,
		CA:            dir.CA(),
		ClusterCA:     dir.PKI(pki.ClusterCA) + ".crt",
		Certificate:   dir.PKI(pki.Kubelet(node.Name)),
		Kubeconfig:    kubeconfig.Component(dir, pki.Proxy),
		PodRange:      topology.PodCIDR,
		DNS:           topology.DNSServiceIP,
		ClusterDomain: topology.ClusterDomain,
		KubeletRoot:   KubeletRoot(node.Name),
		ResolvConf:    dir.Path("nodes", "resolv.conf"),
		GPUHandler:    device.RuntimeHandler,
		GPURuntime:    dir.Bin(device.Runtime),
	}
	for name, target := range map[string]string{
		"containerd.toml": file(dir, node, "containerd.toml"),
		"hosts.toml":      file(dir, node, filepath.Join("certs.d", topology.Registry, "hosts.toml")),
		"cni.conflist":    filepath.Join(CNIFolder(dir, node.Name), "10-lab.conflist"),
		"kubelet.yaml":    file(dir, node, "kubelet.yaml"),
		"kube-proxy.yaml": file(dir, node, "kube-proxy.yaml"),
	} {
		if err := render(name, target, input); err != nil {
			return fmt.Errorf("configuration %s of %s: %w", name, node.Name, err)
		}
	}
	return nil
}

func render(name, target string, input values) error {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(templates, "templates/"+name)
	if err != nil {
		return err
	}
	var content bytes.Buffer
	if err := parsed.Execute(&content, input); err != nil {
		return err
	}
	// kube-proxy ends when its file is written, even with what it held before.
	if present, err := os.ReadFile(target); err == nil && bytes.Equal(present, content.Bytes()) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, content.Bytes(), 0o644)
}
