package registry

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"aiv.internal/conformance/cmd/lab/state"
	"aiv.internal/conformance/cmd/lab/topology"
)

// Reader is the user who may only pull.
const Reader = "reader"

// FaultPassword replaces the password file that the answers point to, so the hashes must
// not be made from it while the fault lasts.
const FaultPassword = "registry-password"

// ReaderPassword is the file with the password of Reader.
func ReaderPassword(dir state.Dir) string { return dir.Secret("registry-reader-password") }

// WriteHTPasswd writes the users' bcrypt hashes, at the lowest cost: each request hashes
// once, and a lab's password guards nothing.
func WriteHTPasswd(path string, users map[string]string) error {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(users)) {
		hash, err := bcrypt.GenerateFromPassword([]byte(users[name]), bcrypt.MinCost)
		if err != nil {
			return fmt.Errorf("password of %s: %w", name, err)
		}
		fmt.Fprintf(&lines, "%s:%s\n", name, hash)
	}
	draft := path + ".new"
	if err := os.WriteFile(draft, []byte(lines.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

// labUsers writes the htpasswd file of the lab's users from their password files.
func labUsers(dir state.Dir, path string) error {
	if dir.FaultActive(FaultPassword) {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	pusher, err := os.ReadFile(dir.RegistryPassword())
	if err != nil {
		return fmt.Errorf("password of the registry's user: %w", err)
	}
	reader, err := os.ReadFile(ReaderPassword(dir))
	if errors.Is(err, fs.ErrNotExist) {
		reader = []byte(rand.Text())
		err = os.WriteFile(ReaderPassword(dir), reader, 0o600)
	}
	if err != nil {
		return fmt.Errorf("password of user %s: %w", Reader, err)
	}
	return WriteHTPasswd(path, map[string]string{
		topology.RegistryUser: strings.TrimSpace(string(pusher)),
		Reader:                strings.TrimSpace(string(reader)),
	})
}
