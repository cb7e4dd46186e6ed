package network

import (
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// A zone that changes all the time has different serials at one moment, not for ever.
func TestSerialsMayBeOnTheirWay(t *testing.T) {
	late := zoneOf(4, address)
	q := inquiry{name: name}
	for _, server := range []string{zoneOf(5, address).serve(t, true), late.serve(t, true)} {
		q.servers = append(q.servers, askServer(t.Context(), server, name, "nobody.aiv.internal"))
	}
	if len(q.serials()) != 2 {
		t.Fatalf("serials %v", q.serials())
	}
	late.serial.Store(5)
	q.settle(t.Context(), time.Millisecond)
	expect(t, "2.1.3", judgePropagation(q, vip), "")
}

// zoneFrom is a server whose zone names a primary, of which it says that it is at these addresses.
func zoneFrom(primary string, serial uint32, at ...string) *zoneServer {
	z := zoneOf(serial, address)
	z.primary = primary + ".aiv.internal."
	for _, one := range at {
		z.records = append(z.records, z.primary+" 300 IN A "+one)
	}
	return z
}

const (
	// here is where the tests' servers are, and gone where none is.
	here = "127.0.0.1"
	gone = "10.0.0.7"
)

func TestPrimaries(t *testing.T) {
	moved := zoneFrom("dc2", 9, here)
	moved.records[0] = name + ". 300 IN A 10.0.0.9"
	zoneOfAnother := zoneFrom("ns1", 5, gone)
	zoneOfAnother.records = append(zoneOfAnother.records, name+". 60 IN SOA ns9.aiv.internal. admin 2 3600 600 86400 60")
	for _, test := range []struct {
		what    string
		servers []*zoneServer
		want    string
		// warning is what is said where nothing is wrong.
		warning string
	}{
		{"a hidden primary", []*zoneServer{zoneFrom("ns1", 5, gone), zoneFrom("ns1", 5, gone)}, "", ""},
		{"a hidden primary, one behind", []*zoneServer{zoneFrom("ns1", 5, gone), zoneFrom("NS1", 4, gone)}, "serial 4", ""},
		{"domain controllers", []*zoneServer{zoneFrom("dc1", 5, here), zoneFrom("dc2", 9, gone, here)}, "", "serial 9 of zone aiv.internal and names dc2.aiv.internal"},
		{"domain controllers, and a copy", []*zoneServer{zoneFrom("dc1", 5, here), zoneFrom("dc2", 9, here), zoneFrom("dc1", 5, here)}, "", "names dc2.aiv.internal"},
		{"domain controllers, and a stale copy", []*zoneServer{zoneFrom("dc1", 5, here), zoneFrom("dc2", 9, here), zoneFrom("dc1", 3, here)}, "serial 3", ""},
		{"domain controllers, one without the change", []*zoneServer{zoneFrom("dc1", 5, here), moved}, "10.0.0.9", ""},
		{"the primary was moved", []*zoneServer{zoneFrom("ns-new", 42, here), zoneFrom("ns-old", 41, gone)}, "undecided: is itself ns-old.aiv.internal: the primary may have been moved", ""},
		{"the former primary has no address", []*zoneServer{zoneFrom("ns-new", 42, here), zoneFrom("ns-old", 41)}, "undecided: see the zone transfers to the servers that name ns-old.aiv.internal", ""},
		{"the primary was moved, and all have it", []*zoneServer{zoneFrom("ns-new", 42, here), zoneFrom("ns-old", 42, gone)}, "", ""},
		{"a part of the domain as a zone", []*zoneServer{zoneFrom("ns1", 5, gone), zoneOfAnother}, "", "different zones"},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			var servers []string
			for _, z := range test.servers {
				servers = append(servers, z.serve(t, true))
			}
			q := inquire(t, servers...)
			expect(t, "2.1.3", judgePropagation(q, vip), test.want)
			if test.want != "" {
				return
			}
			said := ""
			if w := uncompared(q); w != nil {
				said = finding.Failed("", w.Found, w.Why, w.Do).Error()
			}
			if (said == "") != (test.warning == "") || !strings.Contains(said, test.warning) {
				t.Errorf("the warning is %q, want %q", said, test.warning)
			}
		})
	}
}

// Servers that count for themselves are not waited for, and told with whom they name.
func TestEachForItself(t *testing.T) {
	q := inquiry{name: name}
	for i, primary := range []string{"dc1", "dc2"} {
		q.servers = append(q.servers, askServer(t.Context(), zoneFrom(primary, uint32(5+i), here).serve(t, true), name, "nobody.aiv.internal"))
	}
	q.settle(t.Context(), time.Hour)
	w := uncompared(q)
	if w == nil {
		t.Fatal("no warning")
	}
	one, two := q.servers[0].who, q.servers[1].who
	if want := one + " has serial 5 of zone aiv.internal and names dc1.aiv.internal; " + two + " has serial 6 of zone aiv.internal and names dc2.aiv.internal"; w.Found != want {
		t.Errorf("got %q, want %q", w.Found, want)
	}
	if !strings.Contains(w.Why, "names itself") || !strings.Contains(w.Do, "repadmin") {
		t.Errorf("%s\n%s", w.Why, w.Do)
	}
}
