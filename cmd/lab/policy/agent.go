package policy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/knftables"
)

const (
	// settle lets changes that come together be written together.
	settle = 20 * time.Millisecond
	// glance is how often the fault's marker is looked at, and how long after a failure to wait.
	glance = 300 * time.Millisecond
)

// agent keeps one node's table as the policies say.
type agent struct {
	node     string
	client   kubernetes.Interface
	tables   knftables.Interface
	dropsDNS func() bool
	log      *slog.Logger
}

// run writes the table when it knows all there is, and whenever that changes.
func (a agent) run(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(a.client, 0)
	pods, namespaces, policies := factory.Core().V1().Pods(), factory.Core().V1().Namespaces(), factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	notice := func() {
		select {
		case changed <- struct{}{}:
		default: // it is going to be looked at anyway
		}
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { notice() }, UpdateFunc: func(any, any) { notice() }, DeleteFunc: func(any) { notice() },
		}); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, known := range factory.WaitForCacheSync(ctx.Done()) {
		if !known {
			return errors.Join(ctx.Err(), errors.New("stopped before all of "+kind.String()+" were known"))
		}
	}
	look := func() (world, error) {
		w := world{}
		var err [3]error
		w.pods, err[0] = pods.Lister().List(labels.Everything())
		w.namespaces, err[1] = namespaces.Lister().List(labels.Everything())
		w.policies, err[2] = policies.Lister().List(labels.Everything())
		return w, errors.Join(err[:]...)
	}
	return a.keep(ctx, changed, look)
}

// keep writes what look sees, now and after each change.
func (a agent) keep(ctx context.Context, changed <-chan struct{}, look func() (world, error)) error {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	written := ""
	for {
		w, err := look()
		if err != nil {
			return err
		}
		w.dropsDNS = a.dropsDNS()
		transaction := render(a.tables, w.guards(a.node))
		if text := transaction.String(); text != written {
			if err := a.tables.Run(ctx, transaction); err != nil {
				a.log.Error("the policies could not be written", "error", err)
			} else {
				a.log.Info("written", "operations", transaction.NumOperations())
				written = text
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-changed:
			time.Sleep(settle)
		}
	}
}
