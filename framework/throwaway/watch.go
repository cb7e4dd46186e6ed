package throwaway

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/klog/v2"

	"aiv.internal/conformance/framework/kubeerr"
)

// regetPause is how long to wait before asking again an API server that could not be reached.
const regetPause = time.Second

// object is what a wait can follow.
type object interface {
	runtime.Object
	metav1.Object
}

// target is one object in the API, for following it: that of a name, or the one with labels
// whose name is not known yet.
type target[T object] struct {
	kind   string // as RBAC calls it: the resource
	name   string
	labels string
	get    func(context.Context, string, metav1.GetOptions) (T, error)
	watch  openWatch
}

// step looks at a state of the followed object (gone: the last one before its deletion). It
// says whether the wait is over, or fails it, or asks to be called again with the same state
// after a while (0: only when the object changes).
type step[T object] func(ctx context.Context, state T, gone bool) (done bool, again time.Duration, err error)

// follow calls look with now, which is a state that the API server has returned before, and
// with every later one, by a single watch from that state on. It returns the last state seen,
// and ctx's error when that ends first, or that of the API server where it cannot be reached.
func follow[T object](ctx context.Context, t target[T], now T, look step[T]) (T, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var watcher watch.Interface
	var events <-chan watch.Event // nil until watched: blocks forever
	var link lastError
	restart := func() (err error) {
		watcher, err = retryWatch(ctx, now.GetResourceVersion(), t.labels, t.name, link.record(t.watch))
		if err == nil {
			events = watcher.ResultChan()
		}
		return err
	}
	gone := false
	for {
		done, again, err := look(ctx, now, gone)
		if done || err != nil {
			return now, err
		}
		if events == nil {
			if err := restart(); err != nil {
				return now, err
			}
		}
		var timer <-chan time.Time
		if again > 0 {
			timer = time.After(again)
		}
		select {
		case <-ctx.Done():
			if err := link.get(); err != nil {
				return now, err // what was seen last is old: the API server is out of reach
			}
			return now, ctx.Err()
		case <-timer:
		case event, open := <-events:
			state, isState := event.Object.(T)
			if open && isState {
				now, gone = state, event.Type == watch.Deleted
				continue
			}
			if open && event.Type == watch.Error {
				switch err := statusError(event.Object); kubeerr.ReasonOf(err) {
				case kubeerr.MissingRight:
					return now, kubeerr.LackingRight(err, "watch", t.kind, "follow "+t.kind+" "+t.name+t.labels)
				case kubeerr.NotAuthenticated:
					return now, err
				}
			}
			// The watch's place is too old, or it was closed for good: look anew.
			watcher.Stop()
			events = nil
			if now, gone, err = reget(ctx, t, now); err != nil {
				return now, err
			}
		}
	}
}

// lastError keeps how the last attempt to open a watch ended: a RetryWatcher tries again and
// again, and does not tell.
type lastError struct{ err atomic.Pointer[error] }

type openWatch = func(context.Context, metav1.ListOptions) (watch.Interface, error)

func (l *lastError) record(open openWatch) openWatch {
	return func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		watcher, err := open(ctx, options)
		if ctx.Err() == nil {
			l.err.Store(&err)
		}
		return watcher, err
	}
}

func (l *lastError) get() error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	return nil
}

// reget reads the object again, for as long as only the connection is in the way.
func reget[T object](ctx context.Context, t target[T], last T) (state T, gone bool, err error) {
	for {
		state, err := t.get(ctx, t.name, metav1.GetOptions{})
		switch kubeerr.ReasonOf(err) {
		case kubeerr.None:
			return state, false, nil
		case kubeerr.NotFound:
			return last, true, nil
		case kubeerr.Unreachable, kubeerr.TimedOut, kubeerr.Busy, kubeerr.ServerError:
			select {
			case <-ctx.Done():
				return last, false, err
			case <-time.After(regetPause):
			}
		default:
			return last, false, err
		}
	}
}

// retryWatch watches objects with the labels, or the one with the name, from a version on,
// and resumes by itself when the server closes the watch.
func retryWatch(ctx context.Context, from, labels, name string, open openWatch) (watch.Interface, error) {
	// Its log lines would reach the terminal past the redactor; its errors reach us otherwise.
	ctx = klog.NewContext(ctx, logr.Discard())
	return watchtools.NewRetryWatcherWithContext(ctx, from, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = labels
			if name != "" {
				options.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
			}
			return open(ctx, options)
		},
	})
}

// statusError returns the error that a watch event holds.
func statusError(object runtime.Object) error { return apierrors.FromObject(object) }
