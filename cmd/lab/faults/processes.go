package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"aiv.internal/conformance/cmd/lab/process"
)

// stopGrace is how long a process may take to end before it is killed.
const stopGrace = 5 * time.Second

// stopProcesses ends the named processes of the lab and keeps how they were started.
func stopProcesses(names ...string) func(context.Context, *Lab, func([]byte) error) error {
	return func(_ context.Context, lab *Lab, keep func([]byte) error) error {
		commands := map[string][]string{}
		for _, name := range names {
			record, running := lab.Supervisor.Find(name)
			if !running {
				return fmt.Errorf("process %s does not run: start the lab with `lab up` first", name)
			}
			commands[name] = record.Command
		}
		kept, err := json.Marshal(commands)
		if err == nil {
			err = keep(kept)
		}
		for _, name := range names {
			if err == nil {
				err = lab.Supervisor.Stop(name, stopGrace)
			}
		}
		return err
	}
}

// startProcesses starts again what stopProcesses ended. `lab up` may have done so already.
func startProcesses(ctx context.Context, lab *Lab, kept []byte) error {
	if len(kept) == 0 {
		return nil
	}
	var commands map[string][]string
	if err := json.Unmarshal(kept, &commands); err != nil {
		return err
	}
	for name, command := range commands {
		if err := lab.Supervisor.Start(ctx, process.Spec{Name: name, Command: command}); err != nil {
			return err
		}
	}
	return nil
}
