// Package registry checks section 5.1, access to the container registry: its address and
// certificate, the repository, the credentials, pushing, pulling, and the pull secret of the
// namespace. It pushes one tiny image of its own below the answered repository and deletes it
// again; it never touches an image of others.
package registry

import (
	"context"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/outbound"
)

// lookLimit bounds a check that only asks the registry.
const lookLimit = 60 * time.Second

var _ = check.Subsection("5.1", func() {
	check.Item("5.1.1", func(ctx context.Context, a answers.Registry) {
		ctx, cancel := context.WithTimeout(ctx, lookLimit)
		defer cancel()
		d := openDoor(a)
		check.Step("ask https://%s/v2/", d.host())
		response, err := d.knock(ctx)
		if err != nil {
			check.NoError(explain(err, "registry "+d.host()+" answers over verified TLS"), "ask the registry")
		}
		recordCertificate(response, check.Answers().Runner.DaysLeft())
		check.NoError(greeting(response, isPublic(a)), "ask the registry")
		check.Evidence("challenge", response.Header.Get("WWW-Authenticate"))
		if version := response.Header.Get("Docker-Distribution-Api-Version"); version != "" {
			check.Evidence("API version", version)
		}
	})

	check.Item("5.1.2", func(ctx context.Context, a answers.Registry) {
		ctx, cancel := context.WithTimeout(ctx, lookLimit)
		defer cancel()
		d := openDoor(a)
		v, err := logIn(ctx, d, a)
		check.NoError(err, "log in")
		check.Step("ask for repository %s", a.Repository)
		how, err := v.repositoryExists(ctx, a.Repository, check.ReadOnly())
		check.NoError(err, "ask for the repository")
		check.Evidence("repository", d.host()+"/"+a.Repository)
		check.Evidence("seen by", how)
	})

	check.Item("5.1.3", func(ctx context.Context, a answers.Registry) {
		ctx, cancel := context.WithTimeout(ctx, lookLimit)
		defer cancel()
		d := openDoor(a)
		password := check.Secret(ctx, a.Password)
		check.Step("log in as %s", a.Username)
		check.NoError(d.accepts(ctx, a.Username, password), "log in")
		check.Evidence("user", a.Username)
		check.Step("try made-up credentials")
		check.NoError(d.refusesStrangers(ctx, isPublic(a)), "try made-up credentials")
		check.Step("try without credentials")
		open, err := d.opensToAnybody(ctx)
		check.NoError(err, "try without credentials")
		check.Evidence("open to anybody", open)
		judgeAnonymous(a, open)
	})
})

// openDoor ends the check where the answers do not name a registry that can be spoken to.
func openDoor(a answers.Registry) *door {
	d, err := newDoor(a, caFile(a), check.Answers().Runner.Proxies, check.UserAgent())
	check.NoError(err, "read the answers")
	return d
}

// caFile is the CA for the registry: its own, or else the company's.
func caFile(a answers.Registry) string {
	if a.CAFile != "" {
		return a.CAFile
	}
	return check.Answers().Certificates.CAFile
}

func isPublic(a answers.Registry) bool { return a.Public != nil && *a.Public }

// logIn enters with the answered credentials, for checks that are about something else.
func logIn(ctx context.Context, d *door, a answers.Registry) (*visitor, error) {
	password := check.Secret(ctx, a.Password)
	check.Step("log in as %s", a.Username)
	v, err := d.login(ctx, authn.FromConfig(authn.AuthConfig{Username: a.Username, Password: password}))
	if err != nil {
		return nil, notLetIn(err, "registry "+d.host()+" lets "+a.Username+" in")
	}
	return v, nil
}

// notLetIn refers to the item that a failed login belongs to.
func notLetIn(err error, expected string) *finding.Finding {
	switch kind := troubleOf(err); {
	case isRefusal(kind):
		return dependent(err, expected, "5.1.3")
	case kind == outbound.Interrupted || kind == busy || kind == outbound.NoRoute:
		return explain(err, expected)
	}
	return dependent(err, expected, "5.1.1")
}

func judgeAnonymous(a answers.Registry, open bool) {
	switch {
	case open && !isPublic(a):
		check.Fail("registry "+a.URL+" refuses those without credentials", "it let the runner read below "+a.Repository+" without any",
			"anonymous access is switched on, for the registry or for this repository", "switch it off, or say registry.public: true if it is meant to be")
	case !open && isPublic(a):
		check.Warn("the answers file says that the registry is public, but it asks for credentials", "the answer is out of date", "set registry.public: false")
	}
}
