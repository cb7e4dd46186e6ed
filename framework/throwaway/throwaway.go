// Package throwaway makes the objects that a check needs and removes them again: pods,
// claims, secrets. Everything that it makes carries the run's labels, is owned by the run's
// Lease (whose deletion deletes all), has a deadline, fits Pod Security "restricted" and asks
// for little. It waits by watch, and ends a wait at once when a state cannot get better, with
// a finding that says why.
//
// It never creates a namespace or anything cluster-wide, and never touches an object that
// does not carry its label. It knows nothing of Ginkgo: a Kit is given the function that
// registers a cleanup.
package throwaway

import (
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// Labels on every object of a run.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelRun       = "conformance.aiv.internal/run"
	LabelItem      = "conformance.aiv.internal/item"
	ManagedBy      = "aiv-conformance"
)

const (
	// defaultMaxAge is how long a run may last if nothing else is said.
	defaultMaxAge = 30 * time.Minute
	// waitLimit bounds a wait whose context has no deadline.
	waitLimit = 5 * time.Minute
	// defaultQPS and defaultBurst are requests a second to the API server where the
	// configuration sets none: client-go's 5 and 10 would be what a run waits for.
	defaultQPS, defaultBurst = 50, 100
)

// Client holds the three ways to speak to one API server. They share one connection and one
// rate limit.
type Client struct {
	Kube    kubernetes.Interface
	Meta    metadata.Interface
	Dynamic dynamic.Interface
}

// NewClient returns clients for config, which is not changed. It connects to nothing.
func NewClient(config *rest.Config) (Client, error) {
	config = rest.CopyConfig(config)
	if config.RateLimiter == nil && config.QPS >= 0 {
		qps, burst := config.QPS, config.Burst
		if qps == 0 {
			qps = defaultQPS
		}
		if burst == 0 {
			burst = defaultBurst
		}
		config.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(qps, burst)
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return againAfterConflict{next} })
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return Client{}, fmt.Errorf("read the client configuration: %w", err)
	}
	var client Client
	if client.Kube, err = kubernetes.NewForConfigAndClient(config, transport); err != nil {
		return Client{}, fmt.Errorf("make a client: %w", err)
	}
	if client.Meta, err = metadata.NewForConfigAndClient(config, transport); err != nil {
		return Client{}, fmt.Errorf("make a metadata client: %w", err)
	}
	if client.Dynamic, err = dynamic.NewForConfigAndClient(config, transport); err != nil {
		return Client{}, fmt.Errorf("make a dynamic client: %w", err)
	}
	return client, nil
}

// Settings are what all throwaway objects of a run have in common.
type Settings struct {
	// Namespace is the answered namespace: nothing is created elsewhere.
	Namespace string
	// RunID names the run; a DNS label.
	RunID string
	// Version is the runner's, written into the Lease for whoever finds one.
	Version string
	// Image holds the probe, as /probe.
	Image string
	// PullSecrets are names of image pull secrets in Namespace.
	PullSecrets []string
	// NodeSelector and Tolerations are added to every pod.
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	// PriorityClass is every pod's, the cluster's default one if empty.
	PriorityClass string
	// Keep leaves everything in place; `runner cleanup` removes it once MaxAge has passed.
	Keep bool
	// ReadOnly refuses every creation with an undecided finding.
	ReadOnly bool
	// MaxAge is the deadline of the run, 30 minutes if zero. After it the objects count as
	// left over, and pods end by themselves.
	MaxAge time.Duration
	// RetainedVolumes allows claims whose volumes stay after them.
	RetainedVolumes bool
}

func (s Settings) checked() (Settings, error) {
	if s.MaxAge <= 0 {
		s.MaxAge = defaultMaxAge
	}
	if s.Namespace == "" {
		return s, fmt.Errorf("no namespace is answered: set cluster.namespace in the answers file")
	}
	if wrong := validation.IsDNS1123Label(s.RunID); len(wrong) > 0 {
		return s, fmt.Errorf("run ID %q is no DNS label: %v", s.RunID, wrong)
	}
	return s, nil
}

// selector is the label selector of one run's objects.
func selector(runID string) string {
	return LabelManagedBy + "=" + ManagedBy + "," + LabelRun + "=" + runID
}
