package check

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// ConfigVariable names the environment variable through which the launcher hands every
// worker its Config. It holds no secret: those are read by each worker from where the
// answers file says that they are.
const ConfigVariable = "CONFORMANCE_RUN"

// Config is one run as the command line asked for it. Paths are absolute, because a
// worker's working directory is not its launcher's.
type Config struct {
	RunID   string `json:"runID"`
	Version string `json:"version"`
	// Answers is the path of the answers file.
	Answers string `json:"answers"`
	// Kubeconfig is a path, or a list of paths as in KUBECONFIG; empty means in-cluster.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Context    string `json:"context,omitempty"`
	Namespace  string `json:"namespace"`
	// Image is the image that holds the probe.
	Image string `json:"image,omitempty"`
	// Selected holds the IDs of the items to check.
	Selected map[string]bool `json:"selected"`
	// ReadOnly forbids creating anything, leases included.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Keep leaves throwaway objects behind for a look.
	Keep bool `json:"keep,omitempty"`
	// Workers is how many processes share the client's rate limit.
	Workers int `json:"workers"`
	// Timeout bounds the whole run; throwaway objects outlive it by little.
	Timeout time.Duration `json:"timeout"`
	// Socket is where the launcher listens for progress.
	Socket string `json:"socket"`
}

// Encode renders c for ConfigVariable.
func (c Config) Encode() (string, error) {
	text, err := json.Marshal(c)
	return string(text), err
}

// configFromEnvironment reads what the launcher left in ConfigVariable.
func configFromEnvironment() (Config, error) {
	var c Config
	text, present := os.LookupEnv(ConfigVariable)
	if !present {
		return c, fmt.Errorf("%s is not set: a worker is started by the runner, never by hand", ConfigVariable)
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("%s does not hold a run's settings: %w", ConfigVariable, err)
	}
	return c, nil
}

// ClientConfig returns the lazily loaded client configuration that c names. All paths of
// KUBECONFIG are merged, as kubectl does it.
func (c Config) ClientConfig() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if c.Kubeconfig != "" {
		rules = &clientcmd.ClientConfigLoadingRules{Precedence: splitList(c.Kubeconfig), WarnIfAllMissing: true}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: c.Context})
}
