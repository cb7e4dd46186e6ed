package probe

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// secureServer answers hello over TLS and returns its CA.
func secureServer(t *testing.T) (*httptest.Server, []byte) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(server.Close)
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func TestOutward(t *testing.T) {
	server, own := secureServer(t)
	other, _ := secureServer(t)
	silent := listen(t, func(c net.Conn) { time.Sleep(5 * time.Second); c.Close() })
	demanding := listen(t, func(c net.Conn) {
		defer c.Close()
		_, _ = c.Read(make([]byte, 1000))
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
	})
	address := server.Listener.Addr().String()
	cases := []struct {
		to                 Destination
		broke, kind, taken string
		connected          bool
	}{
		{to: Destination{Target: server.URL}, taken: "TCP TLS HTTP", connected: true},
		{to: Destination{Target: address}, taken: "TCP", connected: true},
		{to: Destination{Target: closedPort(t)}, broke: StepTCP, kind: Refused, taken: "TCP"},
		{to: Destination{Target: "https://nothing.invalid"}, broke: StepDNS, kind: NoSuchHost, taken: "DNS"},
		{to: Destination{Target: "https://" + silent, Forbidden: true}, broke: StepTLS, kind: Timeout, taken: "TCP TLS", connected: true},
		{to: Destination{Target: server.URL, Proxy: "http://" + demanding}, broke: StepProxy, kind: BadStatus, taken: "TCP proxy", connected: true},
		{to: Destination{Target: "http://example.com", Proxy: "http://" + demanding}, broke: StepProxy, kind: BadStatus, taken: "TCP HTTP", connected: true},
	}
	o := OutwardOptions{CAs: own, Timeout: 800 * time.Millisecond, Names: []string{"nothing.invalid"}}
	for _, c := range cases {
		o.Destinations = append(o.Destinations, c.to)
	}
	began := time.Now()
	result := Outward(t.Context(), o)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v: one after the other?", took)
	}
	for i, c := range cases {
		w := result.Ways[i]
		var taken []string
		for step, ms := range w.MS {
			if ms >= 0 {
				taken = append(taken, WaySteps()[step])
			}
		}
		if w.Broke != c.broke || w.Kind != c.kind || w.Connected() != c.connected || strings.Join(taken, " ") != c.taken {
			t.Errorf("%+v: %+v, connected %t", c.to, w, w.Connected())
		}
	}
	if result.Ways[0].Status != http.StatusOK || result.Ways[0].Peer != address {
		t.Errorf("%+v", result.Ways[0])
	}
	if n := result.Names[0]; n.Name != "nothing.invalid" || n.Trouble == nil || n.Trouble.Kind != NoSuchHost {
		t.Errorf("%+v", n)
	}
	// A certificate that neither the system nor the given CAs vouch for names who signed it.
	untrusted := Outward(t.Context(), OutwardOptions{Destinations: []Destination{{Target: other.URL}}})
	if w := untrusted.Ways[0]; w.Kind != BadCert || !strings.Contains(w.Issuer, "Acme") {
		t.Errorf("%+v", w)
	}
}

// Forty destinations fit into a termination message, whatever became of them, and their
// verdicts are all there.
func TestOutwardFits(t *testing.T) {
	full := Way{MS: []float64{1234.5, 1000.1, -1, 2000.2, 3000.3}, Broke: StepHTTP, Kind: BadStatus, Status: 503, Simulated: true,
		Peer: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", Message: strings.Repeat("a long message ", 20), Issuer: strings.Repeat("CN=an issuer ", 20)}
	for _, count := range []int{1, 10, 40, MaxDestinations} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			r := OutwardResult{Ways: slices.Repeat([]Way{full}, count), Names: []Resolution{
				{Name: "jupyterhub.aiv.internal", Addresses: []string{"10.0.10.20"}, Canonical: "jupyterhub.aiv.internal.", MS: 1},
				{Name: "other.aiv.internal", Trouble: &Trouble{Kind: Timeout, Message: strings.Repeat("long ", 60)}},
			}}.fit()
			text, err := json.Marshal(r)
			if err != nil || len(text) > maxResult {
				t.Fatalf("%d bytes, %v", len(text), err)
			}
			back, err := Decode[OutwardResult](text)
			if err != nil || len(back.Ways) != count || back.Names[0].Addresses[0] != "10.0.10.20" || back.Names[1].Trouble.Kind != Timeout {
				t.Fatalf("%v %+v", err, back)
			}
			for _, w := range back.Ways {
				if w.Broke != StepHTTP || w.Kind != BadStatus || w.Status != 503 || count == 1 && w.Message == "" {
					t.Fatalf("%+v", w)
				}
			}
		})
	}
}

func TestOutwardArgs(t *testing.T) {
	o := OutwardOptions{Timeout: 3 * time.Second, Again: true, Names: []string{"hub.aiv.test"}, Destinations: []Destination{
		{Target: "https://a.test", Proxy: "http://proxy:3128"}, {Target: "b.test:6789", Forbidden: true}}}
	want := []string{"outward", "--timeout=3s", "--again", "--name=hub.aiv.test", "--allowed=https://a.test via http://proxy:3128", "--forbidden=b.test:6789"}
	if got := o.Args(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for i, text := range []string{"https://a.test via http://proxy:3128", "b.test:6789"} {
		if got := ParseDestination(text, i == 1); got != o.Destinations[i] {
			t.Errorf("%+v", got)
		}
	}
}

// The network may let a new pod through, or keep it back, until it knows it.
func TestOutwardLooksAgain(t *testing.T) {
	var reached atomic.Int32
	opens, open := closedPort(t), listen(t, func(c net.Conn) { c.Close() })
	steady := listen(t, func(c net.Conn) { reached.Add(1); c.Close() })
	closing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Second, func() {
		closing.Close()
		if opening, err := net.Listen("tcp", opens); err == nil {
			t.Cleanup(func() { opening.Close() })
		}
	})
	o := OutwardOptions{Again: true, Timeout: time.Second, Destinations: []Destination{
		{Target: opens}, {Target: closing.Addr().String(), Forbidden: true}, {Target: steady}, {Target: open, Forbidden: true},
		{Target: "https://example.com", Proxy: "http://" + opens, Forbidden: true}, {Target: opens, Forbidden: true}}}
	ways := Outward(t.Context(), o).Ways
	if !ways[0].OK() || ways[1].Connected() || !ways[2].OK() || !ways[3].Connected() || ways[4].Broke != StepProxy || !ways[5].Connected() {
		t.Errorf("%+v", ways)
	}
	if tried := reached.Load(); tried != 1 {
		t.Errorf("what was as expected was tried %d times", tried)
	}
	began := time.Now()
	o.Destinations = o.Destinations[2:3]
	if Outward(t.Context(), o); time.Since(began) > time.Second {
		t.Error("it waits although all is as expected")
	}
}

// A forbidden way that was not tried to its end, or was closed to a newcomer, is looked at again; one
// that a proxy refused, or a name that is unknown, is not.
func TestSurprises(t *testing.T) {
	straight := Destination{Target: "https://example.com", Forbidden: true}
	proxied := Destination{Target: "https://example.com", Proxy: "http://proxy:3128", Forbidden: true}
	for _, c := range []struct {
		d         Destination
		w         Way
		surprises bool
	}{
		{straight, Way{Status: http.StatusOK}, true},
		{straight, Way{Broke: StepDNS, Kind: Timeout}, true},
		{straight, Way{Broke: StepDNS, Kind: DNSFailure}, true},
		{straight, Way{Broke: StepDNS, Kind: NoSuchHost}, false},
		{straight, Way{Broke: StepTCP, Kind: Timeout}, true},
		{straight, Way{Broke: StepTCP, Kind: Refused}, true},
		{proxied, Way{Broke: StepTCP, Kind: Timeout}, true},
		{proxied, Way{Broke: StepDNS, Kind: NoSuchHost}, true},
		{proxied, Way{Broke: StepProxy, Kind: BadStatus}, false},
		{Destination{Target: "https://example.com"}, Way{Broke: StepTCP, Kind: Timeout}, true},
		{Destination{Target: "https://example.com"}, Way{}, false},
	} {
		if got := c.d.surprises(c.w); got != c.surprises {
			t.Errorf("%+v, %+v: %t", c.d, c.w, got)
		}
	}
}
