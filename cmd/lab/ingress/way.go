package ingress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"aiv.internal/conformance/cmd/lab/hubserver"
	"aiv.internal/conformance/cmd/lab/process"
)

// Way is how requests are treated on their way to a backend. The zero value is the healthy one;
// faults take others.
type Way struct {
	// Plain serves plain HTTP on port 80 instead of redirecting it.
	Plain bool
	// BodyLimit is the largest request body in bytes, 0 for any. Traefik alone has it, and the
	// following.
	BodyLimit int64
	// Buffer holds every answer back until it is whole.
	Buffer bool
	// NoUpgrade takes the headers of a protocol upgrade away.
	NoUpgrade bool
}

// middleware is Traefik's, in JSON, which is YAML.
func (w Way) middleware() string {
	middleware := map[string]any{}
	switch {
	case w.BodyLimit > 0:
		middleware["buffering"] = map[string]any{"maxRequestBodyBytes": w.BodyLimit}
	case w.Buffer:
		middleware["buffering"] = map[string]any{"memResponseBodyBytes": 1 << 20}
	case w.NoUpgrade:
		middleware["headers"] = map[string]any{"customRequestHeaders": map[string]string{"Upgrade": "", "Connection": ""}}
	default:
		middleware["headers"] = map[string]any{"customRequestHeaders": map[string]string{"X-Lab": "simulated company"}}
	}
	content, err := json.Marshal(middleware)
	if err != nil {
		panic(fmt.Sprintf("a map of strings and numbers: %v", err))
	}
	return string(content)
}

// Take makes nginx or Traefik, whichever runs, treat requests that way from now on.
func Take(ctx context.Context, supervisor process.Supervisor, way Way) error {
	var failed []error
	if _, err := os.Stat(nginxFile(supervisor.Dir)); err == nil {
		failed = append(failed, writeNGINX(supervisor.Dir, way), hubserver.Reread(ctx, supervisor, hubserver.NGINX))
	}
	if _, err := os.Stat(dynamicFile(supervisor.Dir)); err == nil {
		// It watches the file.
		failed = append(failed, writeTraefik(supervisor.Dir, way))
	}
	return errors.Join(failed...)
}
