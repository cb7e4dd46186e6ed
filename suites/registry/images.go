package registry

import (
	"context"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/onsi/ginkgo/v2"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/throwaway"
)

// The items that push, pull and delete share one image: the first of them that runs makes
// the whole trip, and each then judges its own stage.
var _ = check.Subsection("5.1", func() {
	check.Chain("one image, pushed once", func() {
		var shared journey
		ready := check.Prepare("5.1.6", func(_ context.Context, kit *throwaway.Kit, _ answers.Registry) error {
			shared.kit = kit
			return nil
		})

		check.Item("5.1.4", func(ctx context.Context, a answers.Registry) {
			t := shared.make(ctx, a)
			check.NoError(t.entered, "log in")
			check.Evidence("image", t.image.Name())
			check.Evidence("push took", t.pushTime)
			check.NoError(t.pushed, "push the image")
			check.NoError(t.deleted, "delete the image")
			if t.left != "" {
				check.Warn("the registry deletes nothing for anybody: "+t.left+" remains", advice[unsupported].why,
					"delete it by hand, or let the registry's retention rule for "+t.visitor.repository.Name()+" do it")
			}
			if old := t.visitor.removeOld(ctx, time.Now()); len(old) > 0 {
				check.Evidence("removed from killed runs", old)
			}
		})

		check.Item("5.1.5", func(ctx context.Context, a answers.Registry) {
			t := shared.make(ctx, a)
			requireArrival(t, "an image that was pushed can be pulled")
			check.Evidence("digest", t.digest.String())
			check.Evidence("pull took", t.pullTime)
			check.NoError(t.pulled, "pull the image back")
		})

		check.Item("5.1.6", func(ctx context.Context, a answers.Registry) {
			d := openDoor(a)
			target := check.Cluster()
			check.Step("read pull secret %s", a.PullSecret)
			credentials, err := pullSecretOf(ctx, target.Client, target.Namespace, a.PullSecret, d.repository.Name())
			check.NoError(err, "read the pull secret")
			check.Evidence("user in the secret", credentials.Username)
			check.Step("log in with the pull secret")
			check.NoError(acceptsSecret(ctx, d, a.PullSecret, credentials), "log in with the pull secret")
			ready()
			t := shared.make(ctx, a)
			expected := "a pod that has only pull secret " + a.PullSecret + " pulls the image and runs it"
			requireArrival(t, expected)
			if t.nodes == nil {
				check.Undecided(expected, "no pod was started", "the pull secret was not right yet when the run began to push", "run it again")
			}
			err = t.nodes.judgeWith(expected)
			if err != nil && t.pulled != nil {
				err = dependent(t.pulled, expected, "5.1.5")
			}
			check.NoError(err, "pull with the secret")
			check.Evidence("node", t.nodes.with.report.Node)
			check.Evidence("image ID", t.nodes.with.report.ImageID)
			if isPublic(a) {
				check.Evidence("without the secret", "not tried: the registry is public")
				return
			}
			check.NoError(t.nodes.judgeWithout(), "pull without the secret")
			check.Evidence("without the secret", "refused")
		})
	})
})

// journey makes the trip once for the items of the chain.
type journey struct {
	kit  *throwaway.Kit
	trip *trip
}

func (j *journey) make(ctx context.Context, a answers.Registry) *trip {
	if j.trip != nil {
		return j.trip
	}
	if check.ReadOnly() {
		check.Undecided("an image of our own to push and pull", "--read-only forbids creating one", "", "run it again without --read-only")
	}
	d := openDoor(a)
	who := authn.FromConfig(authn.AuthConfig{Username: a.Username, Password: check.Secret(ctx, a.Password)})
	t, err := newTrip(d, check.Settings().RunID, time.Now())
	check.NoError(err, "make the image")
	ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) error { return t.removeAfterAll(ctx) }, ginkgo.NodeTimeout(2*deleteLimit))
	check.Step("push, pull and delete %s", t.image.Name())
	t.travel(ctx, d, who, j.pods(a, t.image.Name()))
	j.trip = t
	return t
}

// pods returns what starts the pods of 5.1.6, nil where they would tell nothing: they are
// not asked for, or the secret is already known to be wrong.
func (j *journey) pods(a answers.Registry, image string) func(context.Context) *nodePulls {
	if j.kit == nil || a.PullSecret == "" || !check.Settings().Selected["5.1.6"] {
		return nil
	}
	return func(ctx context.Context) *nodePulls {
		target := check.Cluster()
		if _, err := pullSecretOf(ctx, target.Client, target.Namespace, a.PullSecret, image); err != nil {
			return nil
		}
		return pullOnNodes(ctx, j.kit, image, a.PullSecret)
	}
}

// requireArrival ends the check where there is no image to pull, which is item 5.1.4's to say.
func requireArrival(t *trip, expected string) {
	check.NoError(t.entered, "log in")
	if t.pushed != nil {
		check.NoError(dependent(t.pushed, expected, "5.1.4"), "push the image")
	}
	if t.deleted != nil && !check.Settings().Selected["5.1.4"] {
		check.Warn(t.image.Name()+" may remain: "+finding.As(t.deleted).Found, finding.As(t.deleted).Why, finding.As(t.deleted).Do)
	}
}

// acceptsSecret returns nil if the registry lets the pull secret's user in.
func acceptsSecret(ctx context.Context, d *door, secret string, credentials authn.AuthConfig) error {
	expected := "registry " + d.host() + " accepts the credentials in Secret " + secret
	_, err := d.login(ctx, authn.FromConfig(authn.AuthConfig{Username: credentials.Username, Password: credentials.Password}))
	switch {
	case err == nil:
		return nil
	case isRefusal(troubleOf(err)):
		f := explain(err, expected)
		f.Why, f.Do = "the password was changed, or the secret was made with a wrong one", "create the secret again with the current credentials"
		return f
	}
	return notLetIn(err, expected)
}
