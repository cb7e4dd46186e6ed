// Package registry is the lab's container registry: upstream's distribution as a library,
// with TLS and basic authentication, and in front of it who may do what and the faults that
// a registry can have. It serves the OCI distribution API only; nothing of Artifactory's own
// REST interface is here.
package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/auth"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd" // the access controller of that name
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the storage driver of that name
	"github.com/sirupsen/logrus"
)

// Realm is what the registry's challenge names.
const Realm = "AIV Lab Registry (simulated)"

// Settings are what a registry needs.
type Settings struct {
	// Root is the directory of the blobs.
	Root string
	// HTPasswd is the file of users and bcrypt hashes. It is read again when it changes.
	HTPasswd string
	// Pushers are the users who may push and delete, each with the path that their
	// repositories lie below. Every user may pull everything.
	Pushers map[string]string
	// Active says whether the named fault is planted now.
	Active func(fault string) bool
	Log    *slog.Logger
}

// New returns the registry as a handler and a function that ends its background work.
func New(ctx context.Context, s Settings) (http.Handler, func() error, error) {
	app, err := distribution(ctx, s.Root)
	if err != nil {
		return nil, nil, err
	}
	users, err := auth.GetAccessController("htpasswd", map[string]any{"realm": Realm, "path": s.HTPasswd})
	if err != nil {
		return nil, nil, fmt.Errorf("users of the registry: %w", err)
	}
	guarded := &guard{users: users, pushers: s.Pushers, active: s.Active, next: &faulty{active: s.Active, next: app}}
	return logged(s.Log, guarded), app.Shutdown, nil
}

// distribution configures upstream's registry: files, deletion, no cache beside the files,
// no telemetry. It reports a wrong configuration by a panic.
func distribution(ctx context.Context, root string) (app *handlers.App, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("registry in %s: %v", root, p)
		}
	}()
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32) // signs the state of uploads, which do not outlive the process
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	// Its own log is about each request, which we log ourselves.
	logrus.SetOutput(io.Discard)
	config := &configuration.Configuration{
		Version: configuration.MajorMinorVersion(0, 1),
		Storage: configuration.Storage{
			"filesystem":  configuration.Parameters{"rootdirectory": absolute},
			"delete":      configuration.Parameters{"enabled": true},
			"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
		},
	}
	config.HTTP.Secret = hex.EncodeToString(secret)
	return handlers.NewApp(ctx, config), nil
}
