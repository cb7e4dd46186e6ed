package command

import (
	"github.com/spf13/cobra"

	"aiv.internal/conformance/cmd/lab/company"
	"aiv.internal/conformance/cmd/lab/csi"
	"aiv.internal/conformance/cmd/lab/entra"
	"aiv.internal/conformance/cmd/lab/front"
	"aiv.internal/conformance/cmd/lab/gpu"
	"aiv.internal/conformance/cmd/lab/policy"
	"aiv.internal/conformance/cmd/lab/registry"
)

// newServe holds the servers that `lab up` starts in the background.
func newServe() *cobra.Command {
	command := &cobra.Command{Use: "serve", Short: "Run one server of the lab in the foreground", Hidden: true}
	command.AddCommand(company.NewCommand(), csi.NewCommand(), entra.NewCommand(), front.NewCommand(), gpu.NewCommand(), policy.NewCommand(), registry.NewCommand())
	return command
}
