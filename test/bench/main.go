// Command bench prints the project's limits and what it measured beside them. It needs the
// lab to be up, and bin/ to be built; the Makefile's bench target does both.
//
// The main figure holds a full run of the suite against bare client-go: the objects of a run
// are recorded, and then made again in the same order of dependency, all chains at once, by
// a program that does nothing else. Both run in turn. The figures of section 1.2 are about
// the same in small: one bare pod with a GPU, the driver's own calls, and a thousand nodes. Sections 2 to 4 have a time and a number of pods.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"aiv.internal/conformance/test/cluster"
)

// The limits that the figures are held against.
const (
	maxRatio     = 1.3
	maxRunCPU    = 4.0 // seconds, user and system, all processes of the runner
	maxListTime  = 80 * time.Millisecond
	maxListBytes = 60 << 20
	maxBinary    = 70 << 20
	maxUp        = 60 * time.Second
	maxUnit      = 60 * time.Second

	maxGPURatio      = 1.5
	maxProbe         = 12 << 20 // bytes, bin/probe and bin/probe-gpu together
	maxProbeOverhead = 0.20     // of the time that the driver's calls take
	maxNodesTime     = 10 * time.Second
	maxNodesBytes    = 150 << 20

	maxNetworkTime = 25 * time.Second
	maxNetworkPods = 6
)

// bench is what the parts share.
type bench struct {
	root   string
	runner string
	lab    *cluster.Lab
	turns  int
	// realGPU makes the probe use the driver of this machine instead of a simulated one.
	realGPU bool
}

// part is one group of figures, by the name that -only knows it under.
type part struct {
	name    string
	measure func(context.Context, *bench) error
}

// parts are in the order in which they run. Those that time a lab that comes up, and the unit
// tests, run with -lab only.
var parts = []part{
	{"sizes", benchSizes},
	{"list", benchList},
	{"run", benchRun},
	{"gpu", benchGPU},
	{"probe", benchProbe},
	{"nodes", benchNodes},
	{"network", benchNetwork},
	{"lab", benchLab},
	{"unit", benchUnit},
}

func main() {
	b := &bench{lab: cluster.NewLab()}
	flag.IntVar(&b.turns, "turns", 5, "how often what is compared is timed, in turn")
	flag.BoolVar(&b.realGPU, "real-gpu", false, "let the probe use this machine's GPU instead of a simulated driver")
	only := flag.String("only", "sizes,list,run,gpu,probe,nodes,network", "which figures, as a comma list; sizes and probe need no lab")
	restart := flag.Bool("lab", false, "also take the lab down and time how long it takes to come up again, and time the unit tests")
	flag.Parse()
	wanted := strings.Split(*only, ",")
	if *restart {
		wanted = append(wanted, "lab", "unit")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := b.measure(ctx, wanted)
	if err == nil && over > 0 {
		err = fmt.Errorf("%d limits were missed", over)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) measure(ctx context.Context, wanted []string) (err error) {
	b.lab.SetDefaults()
	if b.root, err = cluster.Root(); err != nil {
		return err
	}
	b.runner = b.binary("runner")
	for _, name := range wanted {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("there are no figures called %q", name)
		}
	}
	for _, part := range parts {
		if !slices.Contains(wanted, part.name) {
			continue
		}
		if err := part.measure(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// binary is the path of a program that the Makefile built.
func (b *bench) binary(name string) string { return filepath.Join(b.root, "bin", name) }

// admin is the lab's administrator, whom nothing is to hold back.
func (b *bench) admin() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", b.lab.GetKubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return kubernetes.NewForConfig(config)
}

// over counts the limits that were missed.
var over int

func row(what, measured, limit string, met bool) {
	word := "ok"
	if !met {
		word = "OVER THE LIMIT"
		over++
	}
	fmt.Printf("%-40s %-28s limit %-10s %s\n", what, measured, limit, word)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
