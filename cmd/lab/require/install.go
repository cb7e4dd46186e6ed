package require

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// systemdFolder is there where systemd is the init system (sd_booted(3)).
const systemdFolder = "/run/systemd/system"

// apt is an apt-get command. It waits some minutes for another one to end, such as that of a
// machine's unattended upgrades.
func apt(arguments ...string) []string {
	return append([]string{"apt-get", "-o", "DPkg::Lock::Timeout=300"}, arguments...)
}

// Install installs the missing packages with apt-get, whose output goes to out.
func Install(ctx context.Context, missing *MissingError, out io.Writer) error {
	_, err := os.Stat(systemdFolder)
	return install(ctx, missing, out, err == nil)
}

func install(ctx context.Context, missing *MissingError, out io.Writer, systemd bool) error {
	var err error
	for _, arguments := range [][]string{apt("update", "--quiet"), missing.command()} {
		command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		command.Stdout, command.Stderr = out, out
		if err = command.Run(); err != nil {
			err = fmt.Errorf("%s: %w: install by hand: %s", strings.Join(arguments, " "), err, strings.Join(missing.Packages, " "))
			break
		}
	}
	for _, s := range services {
		if slices.Contains(missing.Tools, s.tool) {
			err = errors.Join(err, s.end(ctx, systemd))
		}
	}
	return err
}

// service is one that a package starts and enables, and that the machine did not run before:
// the lab starts its own.
type service struct {
	tool, name string
	// script is true where the package starts it without systemd as well, by a script in
	// /etc/init.d, unless the machine's policy forbids that (invoke-rc.d(8)).
	script bool
}

var services = []service{
	{tool: "containerd", name: "containerd"},
	{tool: "named", name: "named", script: true},
	{tool: "nginx", name: "nginx", script: true},
}

// end ends the service. An install that failed half way, or was interrupted, may have started
// it as well.
func (s service) end(ctx context.Context, systemd bool) error {
	if _, err := exec.LookPath(s.tool); err != nil || !systemd && !s.script {
		return nil
	}
	arguments := []string{"systemctl", "disable", "--now", s.name + ".service"}
	if !systemd {
		arguments = []string{"service", s.name, "stop"}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, arguments[0], arguments[1:]...).CombinedOutput()
	// The exit code of a script that finds nothing to stop says nothing.
	if err != nil && systemd {
		return fmt.Errorf("%s's service, which came with the package, still runs: %w: %s: %s",
			s.name, err, strings.TrimSpace(string(said)), strings.Join(arguments, " "))
	}
	return nil
}
