package ingress

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"os"
	"text/template"

	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/pki"
	"aiv.internal/conformance/cmd/lab/process"
	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Ports of nginx on the bridge's address: 80 and 443 may be the machine's own.
const (
	nginxHTTP  = "8480"
	nginxHTTPS = "8444"
)

//go:embed nginx.conf
var nginxConfiguration string

var nginxTemplate = template.Must(template.New("nginx.conf").Option("missingkey=error").Parse(nginxConfiguration))

// startNGINX starts Debian's nginx as the company's load balancer. There is no JupyterHub yet,
// so that it knows no page.
func startNGINX(ctx context.Context, supervisor process.Supervisor) error {
	dir := supervisor.Dir
	// A way that a fault has made stays: only mending it mends it.
	if _, err := os.Stat(nginxFile(dir)); errors.Is(err, os.ErrNotExist) {
		if err := writeNGINX(dir, Way{}); err != nil {
			return err
		}
	}
	return supervisor.Start(ctx, nginxSpec(dir, topology.HostIP+":"+nginxHTTPS))
}

// nginxSpec is nginx, which is ready when it shows the certificate at the address.
func nginxSpec(dir state.Dir, address string) process.Spec {
	return process.Spec{
		Name:    hubserver.NGINX,
		Command: []string{"nginx", "-e", "stderr", "-p", dir.Run("nginx"), "-c", nginxFile(dir)},
		Ready:   func(ctx context.Context) error { return hubserver.ShowsAt(ctx, dir, address) },
	}
}

func nginxFile(dir state.Dir) string { return dir.Run("nginx", "nginx.conf") }

// writeNGINX writes the configuration, which nginx reads when it starts or is told to.
func writeNGINX(dir state.Dir, way Way) error {
	if err := os.MkdirAll(dir.Run("nginx"), 0o755); err != nil {
		return err
	}
	content, err := renderNGINX(dir, way)
	if err != nil {
		return err
	}
	return os.WriteFile(nginxFile(dir), content, 0o644)
}

func renderNGINX(dir state.Dir, way Way) ([]byte, error) {
	var content bytes.Buffer
	err := nginxTemplate.Execute(&content, map[string]any{
		"Folder": dir.Run("nginx"), "IP": topology.HostIP, "HTTP": nginxHTTP, "HTTPS": nginxHTTPS,
		"Certificate": dir.PKI(pki.HubServer), "Plain": way.Plain,
	})
	return content.Bytes(), err
}
