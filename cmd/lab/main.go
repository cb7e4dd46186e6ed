// Command lab brings up the cluster and the services that the conformance suite is tested
// against, breaks them on purpose, and takes them down again.
package main

import (
	"os"

	"aiv.internal/conformance/cmd/lab/command"
)

func main() { os.Exit(command.Main()) }
