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
	if systemd && slices.Contains(missing.Tools, "containerd") {
		err = errors.Join(err, disableService(ctx))
	}
	return err
}

// disableService ends containerd's service, which the package has started and enabled: the
// lab starts its own for each node, and the machine ran none before. An install that failed
// half way, or was interrupted, may have started it as well.
func disableService(ctx context.Context) error {
	if _, err := exec.LookPath("containerd"); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, "systemctl", "disable", "--now", "containerd.service").CombinedOutput()
	if err != nil {
		return fmt.Errorf("containerd's service, which came with the package, still runs: %w: %s: "+
			"systemctl disable --now containerd.service", err, strings.TrimSpace(string(said)))
	}
	return nil
}
