package network

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"aiv.internal/conformance/framework/answers"
	"aiv.internal/conformance/framework/check"
	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
	"aiv.internal/conformance/framework/throwaway"
)

const (
	// outwardTime bounds a pod that asks, its start included.
	outwardTime = 2 * time.Minute
	// secondLook bounds what the runner tries itself to explain a broken way.
	secondLook = 5 * time.Second
	// mostTrusted bounds the CAs in a pod's environment, in bytes: the kernel takes 128 KiB for
	// one variable.
	mostTrusted = 100 << 10
)

// outward is what pods with the labels of JupyterHub's own found on their way out.
type outward struct {
	trust trust
	// ways are the hub's pod's, and err is why there are none.
	ways map[probe.Destination]probe.Way
	// names are what its resolver said of JupyterHub's name, empty if it was not asked.
	names []probe.Resolution
	node  string
	err   error
	// user is a user's pod's way to the metadata address, and userErr why there is none.
	user     probe.Way
	userNode string
	userErr  error
}

// hubItems are those that the hub's pod asks for.
var hubItems = []string{"2.3.2", "2.3.4.2", "2.3.4.3", "2.3.4.4", "2.3.4.5"}

// askOutward runs the pods, at the same time. What kept one of them from measuring is the error
// of its own items.
func askOutward(ctx context.Context, kit *throwaway.Kit, a *answers.File) *outward {
	ctx, cancel := context.WithTimeout(ctx, outwardTime)
	defer cancel()
	o := &outward{trust: readTrust(a), ways: map[probe.Destination]probe.Way{}}
	var all []probe.Destination
	for _, item := range hubItems {
		if check.Settings().Selected[item] {
			all = append(all, destinations(item, a)...)
		}
	}
	parts := slices.Collect(slices.Chunk(unique(all), probe.MaxDestinations))
	var names []string
	if check.Settings().Selected["2.1.3"] && a.DNS.Domain != "" {
		names = []string{a.DNS.Domain}
		if len(parts) == 0 {
			parts = [][]probe.Destination{nil}
		}
	}
	var pods sync.WaitGroup
	var lock sync.Mutex
	for i, part := range parts {
		options := probe.OutwardOptions{Destinations: part, CAs: o.trust.pem, Again: true}
		if i == 0 {
			options.Names = names
		}
		pods.Go(func() {
			result, node, err := runOutward(ctx, kit, "egress", a.NetworkPolicies.Hub(), options)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				o.err = err
				return
			}
			o.keep(options, result, node)
		})
	}
	if check.Settings().Selected["N.1.5"] {
		pods.Go(func() {
			result, node, err := runOutward(ctx, kit, "user", userLabels(a.NetworkPolicies), probe.OutwardOptions{Destinations: []probe.Destination{metadata}, Again: true})
			if o.userErr = err; err == nil {
				o.user, o.userNode = result.Ways[0], node
			}
		})
	}
	pods.Wait()
	return o
}

// keep remembers what a hub's pod found.
func (o *outward) keep(asked probe.OutwardOptions, found probe.OutwardResult, node string) {
	for i, d := range asked.Destinations {
		o.ways[d] = found.Ways[i]
	}
	if o.node = node; len(found.Names) > 0 {
		o.names = found.Names
	}
}

// resolver is what the pod's resolver said of JupyterHub's name; an empty view where it was not
// asked.
func (o *outward) resolver() view {
	if o == nil || len(o.names) == 0 {
		return view{}
	}
	return podView(o.names[0], o.node)
}

// userLabels are those of a user's pod, as the chart zero-to-jupyterhub gives them.
func userLabels(a answers.NetworkPolicies) map[string]string {
	labels := a.Hub()
	labels["component"], labels["app.kubernetes.io/component"] = "singleuser-server", "singleuser-server"
	return labels
}

// runOutward runs one pod, and returns what it found and the node that it ran on.
func runOutward(ctx context.Context, kit *throwaway.Kit, name string, labels map[string]string, options probe.OutwardOptions) (probe.OutwardResult, string, error) {
	const expected = "a throwaway pod tries the ways out of the cluster"
	var none probe.OutwardResult
	pod, err := kit.Pod(ctx, throwaway.PodOptions{Name: name, Labels: labels, Args: options.Args(), Deadline: outwardTime,
		Env: []corev1.EnvVar{{Name: probe.CAVariable, Value: string(options.CAs)}}})
	if err != nil {
		return none, "", notRun(err, expected)
	}
	report, err := pod.Finished(ctx)
	if err != nil {
		return none, "", notRun(err, expected)
	}
	result, err := probe.Decode[probe.OutwardResult](report.Message)
	if err != nil || len(result.Ways) != len(options.Destinations) || len(result.Names) != len(options.Names) {
		return none, "", finding.NotDecided(expected, fmt.Sprintf("it left no result: exit code %d, %s", report.ExitCode, report.Message),
			"the image holds another probe than this runner's, or it could not run", "see that runner.image is of the runner's version").Because(err)
	}
	return result, report.Node, nil
}

// notRun is the finding for a pod that could not measure: whatever kept it from that, it is not
// the network that the item asks about.
func notRun(err error, expected string) error {
	f := finding.As(err)
	if f == nil {
		return finding.NotDecided(expected, err.Error(), "", "run it again").Because(err)
	}
	undecided := *f
	undecided.Expected, undecided.Undecided = expected, true
	return undecided.Because(err)
}

// way returns how far the hub's pod came to a destination. One that it was not asked for is no
// success: nothing is known of it.
func (o *outward) way(d probe.Destination) probe.Way {
	if w, asked := o.ways[d]; asked {
		return w
	}
	return probe.Way{Broke: probe.StepDNS, Kind: probe.Stopped, Message: "the pod was not asked for it, which is a defect of this suite"}
}

// describe records what the hub's pod was.
func (o *outward) describe() {
	check.Evidence("asked by", "a throwaway pod with the hub's labels on "+o.node)
	if note := o.trust.note(); note != "" {
		check.Evidence("CA files", note)
	}
}

// fromRunner tries the same targets from where the runner stands, for the explanation.
func (o *outward) fromRunner(ctx context.Context, all []probe.Destination) map[probe.Destination]probe.Way {
	here := probe.OutwardOptions{CAs: o.trust.pem, Timeout: secondLook}
	for _, d := range all {
		proxy := ""
		if target, err := url.Parse(d.Target); err == nil && target.Host != "" {
			if through, err := check.Answers().Runner.Proxies.ForRunner(target); err == nil && through != nil {
				proxy = through.String()
			}
		}
		here.Destinations = append(here.Destinations, probe.Destination{Target: d.Target, Proxy: proxy})
	}
	ways := map[probe.Destination]probe.Way{}
	for i, w := range probe.Outward(ctx, here).Ways {
		if inTheClear(here.Destinations[i]) && !led(w, here.Destinations[i]) && w.Broke == probe.StepHTTP {
			w.Broke = probe.StepProxy // the runner's proxy may be another one than the pods'
		}
		ways[all[i]] = w
	}
	return ways
}

// proxyOfPods returns the proxy that a pod goes through to a target, "" for none: host:port is
// a connection that no HTTP proxy carries.
func proxyOfPods(target string, proxies answers.Proxies) string {
	address, err := url.Parse(target)
	if err != nil || address.Host == "" {
		return ""
	}
	proxy, err := proxies.ForPod(address)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.String()
}

// trust is what the answers say that services are verified with.
type trust struct {
	// pem are the certificates of all answered CA files: JupyterHub's pods have one bundle too.
	pem []byte
	// lacking are files that were of no use, and why.
	lacking []string
}

// readTrust reads all answered CA files. One that cannot be read may not matter: what it
// leaves unverified says so.
func readTrust(a *answers.File) trust {
	var t trust
	var seen []string
	for _, file := range []string{a.Certificates.CAFile, a.Entra.CAFile, a.Registry.CAFile, a.GitLab.CAFile, a.StorageClass.S3.CAFile} {
		if file == "" || slices.Contains(seen, file) {
			continue
		}
		seen = append(seen, file)
		if err := t.add(file); err != nil {
			t.lacking = append(t.lacking, err.Error())
		}
	}
	return t
}

func (t *trust) add(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	found := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		found++
		certificate := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
		if strings.Contains(string(t.pem), string(certificate)) {
			continue
		}
		if len(t.pem)+len(certificate) > mostTrusted {
			return fmt.Errorf("%s holds more certificates than a pod's environment takes", file)
		}
		t.pem = append(t.pem, certificate...)
	}
	if found == 0 {
		return fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return nil
}

// note says which CA files were of no use, "" for none.
func (t trust) note() string { return strings.Join(t.lacking, "; ") }

// unique leaves out what is there already.
func unique(all []probe.Destination) []probe.Destination {
	var once []probe.Destination
	for _, d := range all {
		if !slices.Contains(once, d) {
			once = append(once, d)
		}
	}
	return once
}
