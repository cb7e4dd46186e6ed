package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"aiv.internal/conformance/framework/finding"
	"aiv.internal/conformance/framework/probe"
)

const (
	name    = "jupyterhub.aiv.internal"
	vip     = "10.0.0.100"
	apex    = "aiv.internal. 60 IN SOA %s admin %d 3600 600 86400 60"
	address = name + ". 300 IN A " + vip
)

// zoneServer is a DNS server for aiv.internal on this machine.
type zoneServer struct {
	serial  atomic.Uint32
	records []string
	// primary is whom its SOA names, "ns1" if empty.
	primary string
	// cached makes it a resolver: its answers are not authoritative.
	cached bool
	// code is what every question is answered with, if it is not 0.
	code int
	// other answers in its place by turns, two questions each, if it is not nil.
	other *zoneServer
	asked atomic.Int32
	// lost is how many datagrams get no answer.
	lost atomic.Int32
}

// serve starts it on UDP, and on TCP if that is asked for; it returns its address.
func (z *zoneServer) serve(t *testing.T, tcp bool) string {
	t.Helper()
	packets, listener := listen(t)
	servers := []*dns.Server{{PacketConn: packets, Handler: z}}
	if tcp {
		servers = append(servers, &dns.Server{Listener: listener, Handler: z})
	} else {
		listener.Close()
	}
	for _, server := range servers {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return packets.LocalAddr().String()
}

// listen takes a port that is free for both.
func listen(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return packets, listener
		}
		listener.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// ServeDNS answers as a server of the zone does.
func (z *zoneServer) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	overUDP := w.LocalAddr().Network() == "udp"
	if overUDP && z.lost.Add(-1) >= 0 {
		return
	}
	if z.other != nil && z.asked.Add(1)/2%2 == 1 {
		z.other.ServeDNS(w, question)
		return
	}
	answer := new(dns.Msg).SetReply(question)
	answer.Authoritative = !z.cached
	defer func() {
		if overUDP {
			answer.Truncate(dns.MinMsgSize)
		}
		_ = w.WriteMsg(answer)
	}()
	asked := question.Question[0]
	if z.code != 0 {
		answer.Rcode = z.code
		return
	}
	if !dns.IsSubDomain("aiv.internal.", asked.Name) {
		answer.Rcode = dns.RcodeRefused
		return
	}
	at, known := asked.Name, false
	soa := fmt.Sprintf(apex, orElse(z.primary, "ns1"), z.serial.Load())
	for _, text := range append([]string{soa}, z.records...) {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		wild := strings.HasPrefix(rr.Header().Name, "*.") && dns.IsSubDomain(rr.Header().Name[2:], at)
		if rr.Header().Name != at && !wild {
			continue
		}
		rr.Header().Name = at
		known = true
		switch {
		case rr.Header().Rrtype == asked.Qtype:
			answer.Answer = append(answer.Answer, rr)
		case rr.Header().Rrtype == dns.TypeCNAME:
			answer.Answer = append(answer.Answer, rr)
			at = rr.(*dns.CNAME).Target
			known = !dns.IsSubDomain("aiv.internal.", at)
		}
	}
	if len(answer.Answer) == 0 {
		zone, _ := dns.NewRR(soa)
		answer.Ns = append(answer.Ns, zone)
	}
	if !known {
		answer.Rcode = dns.RcodeNameError
	}
}

func zoneOf(serial uint32, records ...string) *zoneServer {
	z := &zoneServer{records: records}
	z.serial.Store(serial)
	return z
}

// closed is an address of this machine at which nothing listens.
const closed = "127.0.0.1:1"

// inquire asks these servers; the resolvers know the name.
func inquire(t *testing.T, servers ...string) inquiry {
	t.Helper()
	q := inquiry{name: name, resolvers: []view{told("the runner's resolver", vip), told("the resolver of a pod on node a", vip)}}
	for _, server := range servers {
		q.servers = append(q.servers, askServer(t.Context(), server, name, "nobody.aiv.internal"))
	}
	q.settle(t.Context(), time.Millisecond)
	return q
}

func told(who string, addresses ...string) view {
	v := view{who: who}
	for _, address := range addresses {
		v.add(records{addresses: []netip.Addr{netip.MustParseAddr(address)}})
	}
	return v
}

// expect holds a verdict against what it must be: "" for none, "undecided: " before words of
// one that decides nothing.
func expect(t *testing.T, what string, err error, want string) {
	t.Helper()
	f := finding.As(err)
	words, undecided := strings.CutPrefix(want, "undecided: ")
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want == "":
	case f == nil:
		t.Errorf("%s: no finding, want %q", what, want)
	case f.Undecided != undecided, !strings.Contains(f.Error(), words), f.Why == "" || f.Do == "":
		t.Errorf("%s: undecided %t, want %q in\n%v", what, f.Undecided, want, f)
	}
}

func TestServers(t *testing.T) {
	good := zoneOf(5, address).serve(t, true)
	alias := zoneOf(5, name+". 30 IN CNAME ingress.aiv.internal.", "ingress.aiv.internal. 300 IN A "+vip).serve(t, true)
	truncated := zoneOf(5, address)
	for i := range 60 {
		truncated.records = append(truncated.records, fmt.Sprintf("%s. 300 IN A 10.1.0.%d", name, i))
	}
	failing, refusing := zoneOf(5), zoneOf(5)
	failing.code, refusing.code = dns.RcodeServerFailure, dns.RcodeRefused
	losing := zoneOf(5, address)
	losing.lost.Store(1)
	cache := zoneOf(4, address)
	cache.cached = true
	pool := zoneOf(5, address)
	pool.other = zoneOf(5, name+". 300 IN A 10.0.0.9")
	for _, test := range []struct {
		what    string
		servers []string
		// what each item says
		resolves, record, alike string
	}{
		{"two that agree", []string{good, zoneOf(5, address).serve(t, true)}, "", "", ""},
		{"an alias", []string{good, alias}, "", "", ""},
		{"a lost datagram", []string{losing.serve(t, true)}, "", "", ""},
		{"a cache with an older serial", []string{good, cache.serve(t, true)}, "", "", ""},
		{"UDP alone", []string{good, zoneOf(5, address).serve(t, false)}, "", "", ""},
		{"one is stale", []string{good, zoneOf(4, name+". 300 IN A 10.0.0.9").serve(t, true)}, "", "10.0.0.9", "10.0.0.9"},
		{"one has an older zone", []string{good, zoneOf(4, address).serve(t, true)}, "", "", "serial 4"},
		{"one lacks the record", []string{good, zoneOf(5).serve(t, true)}, "", "NXDOMAIN", "NXDOMAIN"},
		{"all lack the record", []string{zoneOf(5).serve(t, true)}, "NXDOMAIN", "NXDOMAIN", "see 2.1.2"},
		{"no address", []string{zoneOf(5, name+". 60 IN TXT a").serve(t, true)}, "no address", "no address", "no address"},
		{"two addresses", []string{zoneOf(5, address, name+". 60 IN A 10.0.0.9").serve(t, true)}, "", "10.0.0.9", "10.0.0.9"},
		{"another IPv6 address", []string{zoneOf(5, address, name+". 60 IN AAAA fd00::9").serve(t, true)}, "", "fd00::9", "fd00::9"},
		{"many addresses", []string{truncated.serve(t, true)}, "", "10.1.0.59", "10.1.0.59"},
		{"an alias to nothing", []string{zoneOf(5, name+". 60 IN CNAME gone.aiv.internal.").serve(t, true)}, "NXDOMAIN", "NXDOMAIN", "NXDOMAIN"},
		{"an alias to itself", []string{good, zoneOf(5, name+". 60 IN CNAME "+name+".").serve(t, true)}, "", "", "do not end"},
		{"an alias to elsewhere", []string{good, zoneOf(5, name+". 60 IN CNAME localhost.").serve(t, true)}, "", "127.0.0.1", "127.0.0.1"},
		{"one is down", []string{good, closed}, "", "", "connection refused"},
		{"all are down", []string{closed}, "", "undecided: connection refused", "undecided: connection refused"},
		{"one fails", []string{good, failing.serve(t, true)}, "", "", "SERVFAIL"},
		{"all fail", []string{failing.serve(t, true)}, "", "SERVFAIL", "SERVFAIL"},
		{"one refuses", []string{good, refusing.serve(t, true)}, "", "", "REFUSED"},
		{"all refuse", []string{refusing.serve(t, true)}, "", "undecided: REFUSED", "undecided: REFUSED"},
		{"two behind one address", []string{good, pool.serve(t, true)}, "", "10.0.0.9", "10.0.0.9"},
		{"none", nil, "", "", "undecided: no DNS server"},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			q := inquire(t, test.servers...)
			if lines := q.table(); len(lines) != len(test.servers)+2 {
				t.Errorf("the table has the lines %q", lines)
			}
			expect(t, "2.1.1", judgeResolves(q), test.resolves)
			expect(t, "2.1.2", judgeRecord(q, vip), test.record)
			expect(t, "2.1.3", judgePropagation(q, vip), test.alike)
		})
	}
}

func TestTable(t *testing.T) {
	good := zoneOf(7, address).serve(t, true)
	bare := zoneOf(7, address)
	bare.cached = true
	udp := bare.serve(t, false)
	lines := strings.Join(inquire(t, good, udp, closed).table(), "\n")
	for _, want := range []string{
		good + ": " + vip + ", TTL 300 s, serial 7 of aiv.internal\n",
		udp + ": " + vip + ", TTL 300 s, serial 7 of aiv.internal, from its cache, over TCP connection refused\n",
		closed + ": connection refused\n",
		"the runner's resolver: " + vip + "\n",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, lines)
		}
	}
}

func TestSilentServer(t *testing.T) {
	silent := zoneOf(5)
	silent.lost.Store(1 << 20)
	server := dnsServer{silent.serve(t, false), 50 * time.Millisecond}
	started := time.Now()
	_, err := server.lookUp(t.Context(), name)
	if words(err) != "no answer in time" || time.Since(started) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(started))
	}
	if asked := int32(1<<20) - silent.lost.Load(); asked != tries {
		t.Errorf("asked %d times", asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := server.lookUp(ctx, name); err == nil {
		t.Error("an answer without time")
	}
}

func TestWildcard(t *testing.T) {
	q := inquire(t, zoneOf(5, "*.aiv.internal. 60 IN A "+vip).serve(t, true))
	if got := q.servers[0].anything; len(got) != 1 {
		t.Errorf("the wildcard was not seen: %v", got)
	}
	q = inquire(t, zoneOf(5, address).serve(t, true))
	if got := q.servers[0].anything; len(got) != 0 {
		t.Errorf("a wildcard where there is none: %v", got)
	}
}

func TestResolvers(t *testing.T) {
	servers := []view{told("10.0.0.53", vip)}
	silent := view{who: "its resolver", err: context.DeadlineExceeded}
	unknown := view{who: "its resolver", records: records{denied: "NXDOMAIN"}}
	right := told("right", vip)
	for _, test := range []struct {
		what        string
		runner, pod view
		want        string
	}{
		{"alike", right, right, ""},
		{"the runner is told otherwise", told("its resolver", "10.0.0.9"), right, "hosts"},
		{"the runner does not know it", unknown, right, "NXDOMAIN"},
		{"the runner has no resolver", silent, right, "undecided: no answer in time"},
		{"pods are told otherwise", right, told("its resolver", "10.0.0.9"), "split DNS"},
		{"pods do not know it", right, unknown, "NXDOMAIN"},
		{"pods have no resolver", right, silent, "CoreDNS"},
		{"pods are told otherwise, and the runner has no resolver", silent, told("its resolver", "10.0.0.9"), "split DNS"},
	} {
		q := inquiry{name: name, servers: servers, resolvers: []view{test.runner, test.pod}}
		expect(t, test.what, judgePropagation(q, vip), test.want)
	}
}

// The servers need not be answered for 2.1.2.
func TestRunnersResolverAlone(t *testing.T) {
	q := inquiry{name: name, resolvers: []view{told("the runner's resolver", vip)}}
	expect(t, "right", judgeRecord(q, vip), "")
	expect(t, "wrong", judgeRecord(q, "10.0.0.9"), vip)
	q.resolvers[0] = view{who: "the runner's resolver", err: context.DeadlineExceeded}
	expect(t, "silent", judgeRecord(q, vip), "undecided: no answer in time")
	expect(t, "silent", judgeResolves(q), "undecided: no answer in time")
}

func TestAskRunner(t *testing.T) {
	if v := askRunner(t.Context(), "localhost"); v.err != nil || len(v.addresses) == 0 {
		t.Errorf("localhost: %+v", v)
	}
}

func TestPodView(t *testing.T) {
	for _, test := range []struct {
		result probe.Resolution
		want   string
	}{
		{probe.Resolution{Addresses: []string{vip, vip}}, vip},
		{probe.Resolution{Trouble: &probe.Trouble{Kind: probe.NoSuchHost}}, "no such name (NXDOMAIN)"},
		{probe.Resolution{Trouble: &probe.Trouble{Kind: probe.Timeout, Message: "i/o"}}, "timeout: i/o"},
	} {
		if got := podView(test.result, "a").short(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestJudgeName(t *testing.T) {
	for _, test := range []struct{ name, company, want string }{
		{name, "aiv.internal", ""},
		{"JupyterHub.AIV.internal", "aiv.internal", ""},
		{name, "", "undecided: runner.companyDomain"},
		{name, "example.com", "outside"},
		{"jupyterhub.notaiv.internal", "aiv.internal", "outside"},
		{"jupyterhub", "aiv.internal", "no dot"},
		{strings.Repeat("a", 64) + ".aiv.internal", "aiv.internal", "63"},
		{strings.Repeat("a.", 125) + "aiv.internal", "aiv.internal", "253"},
	} {
		err := judgeName(test.name, test.company)
		if f := finding.As(err); f != nil && f.Why == "" {
			f.Why = "none is needed"
		}
		expect(t, test.name, err, test.want)
	}
}

func TestNewDNSServer(t *testing.T) {
	for answered, want := range map[string]string{
		"10.0.0.53": "10.0.0.53:53", "10.0.0.53:5353": "10.0.0.53:5353", "fd00::53": "[fd00::53]:53",
		"[fd00::53]:5353": "[fd00::53]:5353", "dns1.aiv.internal": "dns1.aiv.internal:53",
	} {
		if got := newDNSServer(answered).address; got != want {
			t.Errorf("%s is asked at %s, want %s", answered, got, want)
		}
	}
}

// A question that gets no answer is no sign of several servers; one that is refused is.
func TestRepeat(t *testing.T) {
	quiet, refusing := zoneOf(5, address), zoneOf(5, address)
	quiet.lost.Store(1000)
	refusing.code = dns.RcodeRefused
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for what, test := range map[string]struct {
		ctx      context.Context
		again    string
		unsteady int
	}{
		"no answer in time": {t.Context(), quiet.serve(t, true), 0},
		"interrupted":       {stopped, quiet.serve(t, true), 0},
		"nobody listens":    {t.Context(), closed, 0},
		"refused":           {t.Context(), refusing.serve(t, true), 2},
	} {
		v := told("10.0.0.2", vip)
		v.repeat(test.ctx, dnsServer{test.again, 20 * time.Millisecond}, name)
		if len(v.unsteady) != test.unsteady {
			t.Errorf("%s: %q", what, v.unsteady)
		}
	}
}
