package edge

import (
	"net/netip"
	"testing"
	"time"
)

func TestAnAddressIsHeardAsOftenAsItMay(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newRates(2)
	r.now = func() time.Time { return now }
	from := func(ip string) netip.Prefix { return network(netip.MustParseAddr(ip)) }
	times := func(ip string) (n int) {
		for r.allow(from(ip)) {
			n++
		}
		return n
	}
	if n := times("192.0.2.1"); n != 2*burstSeconds {
		t.Errorf("%d at first", n)
	}
	// Of IPv6, a household's addresses count as one; others are not held to it.
	if n, same, other := times("2001:db8::1"), times("2001:db8::2"), times("2001:db8:1::1"); n != 20 || same != 0 || other != 20 {
		t.Errorf("%d, %d, %d", n, same, other)
	}
	now = now.Add(3 * time.Second)
	if n := times("192.0.2.1"); n != 6 {
		t.Errorf("%d after three seconds", n)
	}
}

func TestAddressesAreForgotten(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := newRates(1)
	r.now = func() time.Time { return now }
	ask := func(i int) {
		r.allow(network(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})))
	}
	for i := range addressesMost - 1 {
		ask(i)
	}
	now = now.Add(2 * time.Second)
	for !r.allow(network(netip.MustParseAddr("192.0.2.1"))) {
		t.Fatal("refused at first")
	}
	for r.allow(network(netip.MustParseAddr("192.0.2.1"))) {
	}
	ask(addressesMost)
	if len(r.by) != 2 || r.allow(network(netip.MustParseAddr("192.0.2.1"))) {
		t.Errorf("%d are remembered, and the busy one is forgotten", len(r.by))
	}
	for i := range 3 * addressesMost {
		if ask(i); len(r.by) > addressesMost {
			t.Fatalf("%d are remembered", len(r.by))
		}
	}
}
