package network

import (
	"errors"
	"os"
	"strings"

	"aiv.internal/conformance/cmd/lab/topology"
)

// HostsFile is where the runner on the host finds the lab's names.
const HostsFile = "/etc/hosts"

const (
	hostsBegin = "# BEGIN conformance lab"
	hostsEnd   = "# END conformance lab"
)

// HostLines are the lab's names, as hosts(5) writes them.
func HostLines() string {
	var lines strings.Builder
	for _, host := range topology.Hosts() {
		lines.WriteString(host.Address + " " + host.Name + "\n")
	}
	return lines.String()
}

// AddHosts writes the lab's names into the hosts file, in a marked block.
func AddHosts(path string) error {
	return rewriteHosts(path, func(others string) string {
		if others != "" && !strings.HasSuffix(others, "\n") {
			others += "\n"
		}
		return others + hostsBegin + "\n" + HostLines() + hostsEnd + "\n"
	})
}

// RemoveHosts takes the marked block out again.
func RemoveHosts(path string) error {
	return rewriteHosts(path, func(others string) string { return others })
}

// rewriteHosts writes in place: in a container the file is a mount that cannot be replaced.
func rewriteHosts(path string, change func(others string) string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		content = nil
	} else if err != nil {
		return err
	}
	changed := change(withoutBlock(string(content)))
	if changed == string(content) {
		return nil
	}
	return os.WriteFile(path, []byte(changed), 0o644)
}

// withoutBlock leaves out every marked block; one without an end only loses its first line
// and the lab's own lines, so that nothing of somebody else's is lost.
func withoutBlock(content string) string {
	var kept strings.Builder
	inside := false
	for line := range strings.Lines(content) {
		switch bare := strings.TrimSpace(line); {
		case bare == hostsBegin:
			inside = true
		case bare == hostsEnd:
			inside = false
		case inside && strings.Contains(HostLines(), bare) && bare != "":
		default:
			kept.WriteString(line)
		}
	}
	return kept.String()
}
