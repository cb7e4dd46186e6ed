package build

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"aiv.internal/conformance/cmd/lab/console"
	"aiv.internal/conformance/cmd/lab/gpu/device"
	"aiv.internal/conformance/cmd/lab/state"
)

// driver compiles the simulated GPU driver from its C sources, unless that is done.
func driver(ctx context.Context, dir state.Dir, source string, say *console.Console) error {
	source = filepath.Join(source, "gpu", "driver")
	stamp, err := driverStamp(source)
	if err != nil {
		return err
	}
	stampFile := filepath.Join(device.Folder(dir), ".stamp")
	if content, err := os.ReadFile(stampFile); err == nil && string(content) == stamp && driverBuilt(dir) {
		return nil
	}
	say.Say("building the simulated GPU driver")
	return say.Step("built "+strings.Join(device.Libraries, ", "), func() error {
		// Containers that run have the present libraries mapped: new ones come under new inodes.
		draft := device.Folder(dir) + ".new"
		if err := os.RemoveAll(draft); err != nil {
			return err
		}
		if err := os.MkdirAll(draft, 0o755); err != nil {
			return err
		}
		output, err := exec.CommandContext(ctx, "sh", filepath.Join(source, "build.sh"), draft).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(output)))
		}
		if err := os.WriteFile(filepath.Join(draft, ".stamp"), []byte(stamp), 0o644); err != nil {
			return err
		}
		if err := os.RemoveAll(device.Folder(dir)); err != nil {
			return err
		}
		return os.Rename(draft, device.Folder(dir))
	})
}

// driverStamp is the hash of all that the driver is made from.
func driverStamp(source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "source", "*"))
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	if err := addFiles(hash, append(files, filepath.Join(source, "build.sh"))); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

func driverBuilt(dir state.Dir) bool {
	for _, library := range device.Libraries {
		if _, err := os.Stat(filepath.Join(device.Folder(dir), library)); err != nil {
			return false
		}
	}
	return true
}
