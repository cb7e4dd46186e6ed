package throwaway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"aiv.internal/conformance/framework/kubeerr"
)

// SweepOptions says which runs' remains to remove besides those whose Lease has expired.
type SweepOptions struct {
	// RunID removes this run only, expired or not.
	RunID string
	// Prefix also removes the runs whose ID begins so, expired or not; none if empty.
	Prefix string
	// All removes every run, running ones too.
	All bool
}

// over tells whether a run is to be removed although its Lease has not expired.
func (o SweepOptions) over(runID string) bool {
	return o.All || o.Prefix != "" && strings.HasPrefix(runID, o.Prefix)
}

// Sweep removes what killed runs left in the namespace: runs whose Lease has expired, and
// objects with our label whose run has no Lease. It returns "run: kind/name" for each object
// that it found, and waits until all are gone.
func Sweep(ctx context.Context, client Client, namespace string, options SweepOptions) ([]string, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	runs, failed := []string{options.RunID}, error(nil)
	if options.RunID == "" {
		runs, failed = abandoned(ctx, client, namespace, options)
	}
	var removed []string
	for _, run := range runs {
		names, err := remove(ctx, client, namespace, run)
		for _, name := range names {
			removed = append(removed, run+": "+name)
		}
		failed = firstOf(failed, err)
	}
	return removed, failed
}

// abandoned returns the IDs of runs to remove. Objects are listed before Leases: a run that
// begins meanwhile then has its Lease in the second list, and is left alone. Without the
// Leases there are none to remove; a kind that cannot be listed only adds none.
func abandoned(ctx context.Context, client Client, namespace string, options SweepOptions) (runs []string, failed error) {
	remove := map[string]bool{}
	for _, kind := range kinds {
		if kind == leases {
			continue
		}
		left, err := list(ctx, client, kind, namespace, LabelManagedBy+"="+ManagedBy+","+LabelRun)
		failed = firstOf(failed, err)
		for _, object := range left.objects {
			remove[object.Labels[LabelRun]] = true
		}
	}
	held, err := client.Kube.CoordinationV1().Leases(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: LabelManagedBy + "=" + ManagedBy + "," + LabelRun})
	if err != nil {
		return nil, kubeerr.FromAPI(err, fmt.Sprintf("look for the Leases of runs in %s", namespace))
	}
	for _, lease := range held.Items {
		id := lease.Labels[LabelRun]
		remove[id] = options.over(id) || expired(lease, time.Now())
	}
	maps.DeleteFunc(remove, func(_ string, abandoned bool) bool { return !abandoned })
	return slices.Sorted(maps.Keys(remove)), failed
}

func expired(lease coordinationv1.Lease, now time.Time) bool {
	since := lease.CreationTimestamp.Time
	if lease.Spec.RenewTime != nil {
		since = lease.Spec.RenewTime.Time
	}
	age := time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, 0)) * time.Second
	return now.After(since.Add(age))
}
