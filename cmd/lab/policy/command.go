package policy

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/knftables"

	"aiv.internal/conformance/cmd/lab/state"
)

// NewCommand returns `policy`, which enforces NetworkPolicies in the network namespace that it
// runs in, until it is told to end. What it wrote stays, as with other network plugins.
func NewCommand() *cobra.Command {
	var node, kubeconfig, labDir string
	c := &cobra.Command{
		Use:   "policy",
		Short: "Enforce NetworkPolicies on one node",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if node == "" || labDir == "" {
				return errors.New("--node and --lab-dir are needed")
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, unix.SIGTERM)
			defer stop()
			config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return err
			}
			config.UserAgent = "aiv-lab-policy"
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			tables, err := knftables.New(knftables.IPv4Family, table)
			if err != nil {
				return err
			}
			return agent{
				node: node, client: client, tables: tables, dropsDNS: func() bool { return state.Dir(labDir).FaultActive(FaultDNSDropped) },
				log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			}.run(ctx)
		},
	}
	f := c.Flags()
	f.StringVar(&node, "node", "", "name of the node")
	f.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig that may list pods, namespaces and policies")
	f.StringVar(&labDir, "lab-dir", os.Getenv(state.EnvironmentVariable), "state folder of the lab")
	return c
}
