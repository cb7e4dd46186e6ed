package require

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
	if systemd {
		err = errors.Join(err, disableServices(ctx, missing.Tools))
	}
	return err
}

// services are those that a package starts and enables when it is installed, by the tool for
// which the lab has it installed.
var services = map[string]string{"containerd": "containerd.service", "named": "named.service"}

// disableServices ends the services that came with the tools: the lab starts its own, and the
// machine ran none before. An install that failed half way, or was interrupted, may have
// started them as well.
func disableServices(ctx context.Context, installed []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var failed []error
	for _, tool := range installed {
		service, starts := services[tool]
		if _, err := exec.LookPath(tool); !starts || err != nil {
			continue
		}
		said, err := exec.CommandContext(ctx, "systemctl", "disable", "--now", service).CombinedOutput()
		if err != nil {
			failed = append(failed, fmt.Errorf("%s, which came with its package, still runs: %w: %s: systemctl disable --now %[1]s",
				service, err, strings.TrimSpace(string(said))))
		}
	}
	return errors.Join(failed...)
}
