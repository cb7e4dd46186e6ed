package ingress

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"net"
	"os"
	"text/template"

	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

var (
	//go:embed traefik.yaml
	traefikStatic string
	//go:embed traefik-dynamic.yaml
	traefikDynamic string

	staticTemplate  = template.Must(template.New("traefik.yaml").Option("missingkey=error").Parse(traefikStatic))
	dynamicTemplate = template.Must(template.New("traefik-dynamic.yaml").Option("missingkey=error").Parse(traefikDynamic))
)

// startTraefik starts Traefik in the node's network, where it has the ports 80 and 443 of the
// node's address.
func startTraefik(ctx context.Context, supervisor process.Supervisor) error {
	dir := supervisor.Dir
	if _, err := os.Stat(dynamicFile(dir)); errors.Is(err, os.ErrNotExist) {
		if err := writeTraefik(dir, Way{}); err != nil {
			return err
		}
	}
	static := TraefikFile(dir)
	content, err := renderTraefik(dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(static, content, 0o644); err != nil {
		return err
	}
	// Told by a program in its command and not by its environment: a fault that stops it keeps
	// the command alone.
	return start(ctx, supervisor, hubserver.Traefik, edge().Name,
		func(ctx context.Context) error {
			return hubserver.ShowsAt(ctx, dir, net.JoinHostPort(edge().IP, "443"))
		},
		"env", "KUBECONFIG="+kubeconfigOf(dir, "traefik"), dir.Bin("traefik"), "--configFile="+static)
}

// TraefikFile is the part of the configuration that Traefik reads when it starts.
func TraefikFile(dir state.Dir) string { return dir.Run("traefik", "traefik.yaml") }

// dynamicFile is the part of the configuration that Traefik reads again when it changes. The
// folder is watched, so that nothing else is in it.
func dynamicFile(dir state.Dir) string { return dir.Run("traefik", "dynamic", "lab.yaml") }

func writeTraefik(dir state.Dir, way Way) error {
	if err := os.MkdirAll(dir.Run("traefik", "dynamic"), 0o755); err != nil {
		return err
	}
	content, err := renderDynamic(dir, way)
	if err != nil {
		return err
	}
	return os.WriteFile(dynamicFile(dir), content, 0o644)
}

func renderTraefik(dir state.Dir) ([]byte, error) {
	var content bytes.Buffer
	err := staticTemplate.Execute(&content, map[string]any{
		"IP": edge().IP, "Dynamic": dir.Run("traefik", "dynamic"), "IngressClass": topology.IngressClass,
		"Namespace": topology.IngressNamespace, "Service": topology.IngressService,
	})
	return content.Bytes(), err
}

func renderDynamic(dir state.Dir, way Way) ([]byte, error) {
	var content bytes.Buffer
	err := dynamicTemplate.Execute(&content, map[string]any{
		"Certificate": dir.PKI(pki.HubServer), "Plain": way.Plain, "Middleware": way.middleware(),
	})
	return content.Bytes(), err
}
