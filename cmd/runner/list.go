package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"aiv.internal/conformance/framework/checklist"
)

// listedItem is one entry of "list -o json"; the names are an interface.
type listedItem struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Section    string   `json:"section"`
	Subsection string   `json:"subsection"`
	Kind       string   `json:"kind"`
	Topics     []string `json:"topics"`
}

func newListCommand() *cobra.Command {
	var focus, skip []string
	var output string
	command := &cobra.Command{
		Use:   "list",
		Short: "List the items of the checklist",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			catalogue, err := checklist.Load()
			if err != nil {
				return err
			}
			selected, err := catalogue.Select(focus, skip)
			if err != nil {
				return err
			}
			items := []listedItem{}
			for _, item := range catalogue.Items() {
				if selected[item.ID] {
					items = append(items, listedItem{item.ID, item.Title, item.Section, item.Subsection, string(item.Kind), item.Topics})
				}
			}
			switch output {
			case "json":
				encoder := json.NewEncoder(command.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(items)
			case "text":
				table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
				for _, item := range items {
					fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", item.ID, item.Kind, item.Title, strings.Join(item.Topics, " "))
				}
				return table.Flush()
			}
			return fmt.Errorf("--output=%s is neither text nor json", output)
		},
	}
	command.Flags().StringSliceVar(&focus, "focus", nil, "only these, as in: runner --focus")
	command.Flags().StringSliceVar(&skip, "skip", nil, "all but these")
	command.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return command
}
