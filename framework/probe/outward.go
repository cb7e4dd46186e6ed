package probe

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// MaxDestinations is how many fit into one result, verdicts only.
	MaxDestinations = 64
	// atOnce bounds the connections that are tried at the same time.
	atOnce = 32
	// defaultOutwardTime bounds the way to one destination.
	defaultOutwardTime = 8 * time.Second
	// newcomerTime is how long the network may take to know a new pod: until then it is let
	// through, or kept back, whatever the policies say.
	newcomerTime = 4 * time.Second
)

// Destination is what a pod is to reach, or is to be kept from.
type Destination struct {
	// Target is a URL, or host:port for a bare TCP connection.
	Target string
	// Proxy is the URL of the HTTP proxy on the way there, "" for none.
	Proxy string
	// Forbidden is one that must not be reached. It is given up after half the time: a packet
	// that is dropped is only known by its silence.
	Forbidden bool
}

// OutwardOptions are what one pod asks in one go.
type OutwardOptions struct {
	Destinations []Destination
	// Names are resolved by the pod's resolver, beside the destinations' own.
	Names []string
	// CAs are PEM certificates that are trusted beside the system's.
	CAs []byte
	// Timeout bounds the way to each destination, 8 s if zero; each look at it, where it is
	// looked at twice.
	Timeout time.Duration
	// Again looks a second time, when newcomerTime has passed, at what came out against
	// expectation or may have been kept back by it, and keeps that result: for a pod that has
	// just started.
	Again bool
}

// via stands between a target and its proxy in an argument. A URL holds no space.
const via = " via "

// Args returns the arguments with which cmd/probe does the same. CAs go into CAVariable.
func (o OutwardOptions) Args() []string {
	args := []string{"outward"}
	if o.Timeout != 0 {
		args = append(args, "--timeout="+o.Timeout.String())
	}
	if o.Again {
		args = append(args, "--again")
	}
	for _, name := range o.Names {
		args = append(args, "--name="+name)
	}
	for _, d := range o.Destinations {
		flag, text := "--allowed=", d.Target
		if d.Forbidden {
			flag = "--forbidden="
		}
		if d.Proxy != "" {
			text += via + d.Proxy
		}
		args = append(args, flag+text)
	}
	return args
}

// ParseDestination reads what Args wrote of one.
func ParseDestination(text string, forbidden bool) Destination {
	target, proxy, _ := strings.Cut(text, via)
	return Destination{Target: target, Proxy: proxy, Forbidden: forbidden}
}

// OutwardResult is how far each destination was reached, in the order of the options.
type OutwardResult struct {
	Ways  []Way        `json:"ways"`
	Names []Resolution `json:"names,omitempty"`
}

// Way is how far the way to one destination led. Its keys are short, because one result holds
// many.
type Way struct {
	// MS are the milliseconds of each of WaySteps, negative for one that was not taken. It is
	// empty where there was no room for it.
	MS []float64 `json:"t,omitempty"`
	// Broke is the step that did not succeed, empty if all did; Kind sorts why, like Trouble's,
	// and Message says it where there is room.
	Broke   string `json:"b,omitempty"`
	Kind    string `json:"k,omitempty"`
	Message string `json:"m,omitempty"`
	// Peer is the address that answered, where there is room.
	Peer string `json:"p,omitempty"`
	// Status is that of the HTTP answer.
	Status int `json:"s,omitempty"`
	// Simulated says that the server only stands for a real one, in its own words.
	Simulated bool `json:"x,omitempty"`
	// Issuer is who signed a certificate that was not accepted, where there is room.
	Issuer string `json:"i,omitempty"`
}

// WaySteps are the steps that Way's times belong to.
func WaySteps() []string { return []string{StepDNS, StepTCP, StepProxy, StepTLS, StepHTTP} }

// OK says that every step succeeded.
func (w Way) OK() bool { return w.Broke == "" }

// Connected says that something accepted the connection, whatever came of it: the destination,
// or the proxy on the way there.
func (w Way) Connected() bool { return w.Broke != StepDNS && w.Broke != StepTCP }

// Outward tries all destinations and names at the same time.
func Outward(ctx context.Context, o OutwardOptions) OutwardResult {
	began := time.Now()
	result := OutwardResult{Ways: make([]Way, len(o.Destinations)), Names: make([]Resolution, len(o.Names))}
	all := func(int) bool { return true }
	o.look(ctx, &result, all, all)
	name := func(i int) bool { return result.Names[i].Trouble != nil }
	way := func(i int) bool { return o.Destinations[i].surprises(result.Ways[i]) }
	if !o.Again || !some(len(o.Names), name) && !some(len(o.Destinations), way) {
		return result.fit()
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(began.Add(newcomerTime))):
		o.look(ctx, &result, name, way)
	}
	return result.fit()
}

// look fills in the names and ways that are picked by their places.
func (o OutwardOptions) look(ctx context.Context, result *OutwardResult, name, way func(int) bool) {
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	do := func(one func()) {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			one()
		})
	}
	for i := range o.Names {
		if name(i) {
			do(func() { result.Names[i] = DNS(ctx, o.Names[i], "") })
		}
	}
	for i, d := range o.Destinations {
		if way(i) {
			do(func() { result.Ways[i] = wayOf(o.reach(ctx, d)) })
		}
	}
	all.Wait()
}

// some tells whether one of the places below count is picked.
func some(count int, picked func(int) bool) bool {
	for i := range count {
		if picked(i) {
			return true
		}
	}
	return false
}

// surprises says that the way led where it must not, or not where it must; or that it is not known
// who closed a way that must be closed: it was not tried as far as there, or the network may have
// kept back a pod that it did not know yet.
func (d Destination) surprises(w Way) bool {
	switch {
	case !d.Forbidden:
		return !w.OK()
	case w.Connected():
		return w.Broke != StepProxy // a proxy is reached also where it refuses
	case d.Proxy != "":
		return true
	}
	return w.Kind != NoSuchHost
}

// reach goes the whole way: HTTP for a URL, else a bare connection.
func (o OutwardOptions) reach(ctx context.Context, d Destination) Connection {
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = defaultOutwardTime
	}
	if d.Forbidden {
		timeout /= 2
	}
	options := ConnectOptions{CAs: o.CAs, AlsoSystem: true, Proxy: d.Proxy, Timeout: timeout}
	if !strings.Contains(d.Target, "://") {
		return TCP(ctx, d.Target, options)
	}
	c := HTTP(ctx, d.Target, options)
	if c.OK() && d.Proxy != "" && c.Status == http.StatusProxyAuthRequired {
		// The proxy's own answer to a request in the clear: it led nowhere.
		c.Broke, c.Trouble = StepProxy, &Trouble{Kind: BadStatus, Message: "the proxy asks for credentials"}
	}
	return c
}

// wayOf keeps what a reader needs of a connection.
func wayOf(c Connection) Way {
	w := Way{Broke: c.Broke, Peer: c.Peer, Status: c.Status, Simulated: c.Simulated != ""}
	for _, name := range WaySteps() {
		taken := -1.0
		for _, step := range c.Steps {
			if step.Name == name {
				taken = math.Round(step.MS*10) / 10
			}
		}
		w.MS = append(w.MS, taken)
	}
	if c.Trouble != nil {
		w.Kind, w.Message = c.Trouble.Kind, c.Trouble.Message
		if c.Trouble.Kind == BadCert && c.Certificate != nil {
			w.Issuer = c.Certificate.Issuer
		}
	}
	return w
}

// fit drops what may be dropped, the least important first, until the result fits into a
// termination message. What broke, and why, stays.
func (r OutwardResult) fit() OutwardResult {
	for _, drop := range []func(){
		func() { r.cut(120) },
		func() { r.cut(40) },
		func() { r.cut(0) },
		func() { r.each(func(w *Way) { w.Peer = "" }) },
		func() { r.each(func(w *Way) { w.MS = nil }) },
	} {
		if text, err := json.Marshal(r); err == nil && len(text) <= maxResult {
			break
		}
		drop()
	}
	return r
}

// cut shortens every text to limit.
func (r OutwardResult) cut(limit int) {
	r.each(func(w *Way) { w.Message, w.Issuer = shortTo(limit, w.Message), shortTo(limit, w.Issuer) })
	for i := range r.Names {
		if trouble := r.Names[i].Trouble; trouble != nil {
			r.Names[i].Trouble = &Trouble{Kind: trouble.Kind, Message: shortTo(limit, trouble.Message)}
		}
	}
}

func (r OutwardResult) each(change func(*Way)) {
	for i := range r.Ways {
		change(&r.Ways[i])
	}
}
