package throwaway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/kubeerr"
)

// Run owns all throwaway objects of one run of the suite, in however many processes.
type Run struct {
	client   Client
	settings Settings
	lease    types.UID

	mutex sync.Mutex
	// volumes are the PersistentVolumes behind the claims that this process made: cluster
	// objects without our label, which must be gone as well in the end.
	volumes map[string]bool
}

// leaseName is the name of the run's Lease.
func leaseName(runID string) string { return "conformance-" + runID }

// Begin creates the run's Lease, which will own everything else. With ReadOnly it creates
// nothing. Errors of the API are findings.
func Begin(ctx context.Context, client Client, settings Settings) (*Run, error) {
	settings, err := settings.checked()
	if err != nil {
		return nil, err
	}
	if settings.ReadOnly {
		return Join(client, settings, ""), nil
	}
	now := metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name:   leaseName(settings.RunID),
			Labels: map[string]string{LabelManagedBy: ManagedBy, LabelRun: settings.RunID},
		},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       ptr.To("runner " + settings.Version),
			LeaseDurationSeconds: ptr.To(int32(settings.MaxAge / time.Second)),
			AcquireTime:          &now,
			RenewTime:            &now,
		},
	}
	leases := client.Kube.CoordinationV1().Leases(settings.Namespace)
	created, err := leases.Create(ctx, lease, metav1.CreateOptions{})
	if err != nil {
		if f := kubeerr.FromAPI(err, ""); f.Undecided && kubeerr.ReasonOf(err) != kubeerr.MissingRight {
			// The answer may have been lost, and the Lease be there.
			later, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
			defer cancel()
			leases.Delete(later, lease.Name, metav1.DeleteOptions{})
		}
		return nil, kubeerr.FromAPI(err, fmt.Sprintf("create the run's Lease %s/%s", settings.Namespace, lease.Name))
	}
	return Join(client, settings, created.UID), nil
}

// Join returns the same run in another process; lease is what Lease returned there.
func Join(client Client, settings Settings, lease types.UID) *Run {
	if settings.MaxAge <= 0 {
		settings.MaxAge = defaultMaxAge
	}
	return &Run{client: client, settings: settings, lease: lease, volumes: map[string]bool{}}
}

// Lease returns the UID of the run's Lease for Join; empty for a read-only run.
func (r *Run) Lease() types.UID { return r.lease }

// Client returns the clients that the run was begun with.
func (r *Run) Client() Client { return r.client }

// Namespace returns the namespace in which the run creates its objects.
func (r *Run) Namespace() string { return r.settings.Namespace }

// End deletes what is left of the run, NetworkPolicies first, then the Lease, and returns
// when nothing with the run's label is there any more, volumes of this process included. Its
// error is a finding that names what remains. With Keep or ReadOnly it does nothing.
func (r *Run) End(ctx context.Context) error {
	if r.settings.Keep || r.settings.ReadOnly {
		return nil
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	_, err := remove(ctx, r.client, r.settings.Namespace, r.settings.RunID)
	return firstOf(err, r.Leave(ctx))
}

// Leave returns when the volumes of the claims that this process made are gone. Each worker
// process calls it at its end; End does so for its own.
func (r *Run) Leave(ctx context.Context) error {
	if r.settings.Keep || r.settings.ReadOnly {
		return nil
	}
	r.mutex.Lock()
	names := slices.Sorted(maps.Keys(r.volumes))
	r.mutex.Unlock()
	return volumesGone(ctx, r.client, names)
}

func (r *Run) remember(volume string) {
	if volume == "" {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.volumes[volume] = true
}

// mayCreate is the last guard of a read-only run.
func (r *Run) mayCreate(what string) error {
	if r.settings.ReadOnly {
		return finding.NotDecided("create "+what, "nothing was created: the run is --read-only",
			"this check measures with an object of its own", "run it without --read-only")
	}
	return nil
}

// owner makes the garbage collector delete an object with the run's Lease.
func (r *Run) owner() []metav1.OwnerReference {
	if r.lease == "" {
		return nil
	}
	return []metav1.OwnerReference{{
		APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease",
		Name: leaseName(r.settings.RunID), UID: r.lease,
		// No controller, and no BlockOwnerDeletion: that would need a right on the Lease's finalizers.
	}}
}

// limited gives ctx a deadline where it has none.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, waitLimit)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
