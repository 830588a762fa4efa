package edge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

const aReference = "5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f1111"

// askedFor answers what a test decides.
type askedFor func() (*ordersv1.Order, error)

func (a askedFor) GetOrder(context.Context, *ordersv1.GetOrderRequest, ...grpc.CallOption) (*ordersv1.Order, error) {
	return a()
}

// streaming serves orderEvents with a pace of its own.
func streaming(t *testing.T, p pace, orders orderReader) (url string, over <-chan struct{}) {
	t.Helper()
	mux := NewMux(time.Minute)
	ended := make(chan struct{}, 10)
	events := orderEvents(orders, p)
	if err := Route(mux, http.MethodGet, eventsPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		events.ServeHTTP(w, r)
	})); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(Wrap(mux, slog.New(slog.DiscardHandler), nil, nil))
	t.Cleanup(server.Close)
	return server.URL + "/v1/orders/" + aReference + "/events", ended
}

func quick() pace {
	p := usualPace
	p.askEvery, p.askSlowly, p.heartbeat = time.Millisecond, time.Millisecond, time.Millisecond
	return p
}

func TestAStreamThatIsQuietShowsThatItLivesAndEndsInTime(t *testing.T) {
	p := quick()
	p.life = 300 * time.Millisecond
	url, over := streaming(t, p, askedFor(func() (*ordersv1.Order, error) {
		return &ordersv1.Order{State: ordersv1.Order_PENDING}, nil
	}))
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	<-over
	text := string(all)
	if !strings.HasPrefix(text, "retry: 3000\n\nevent: order\n") || strings.Count(text, "event:") != 1 || !strings.Contains(text, "\n: still here\n\n") {
		t.Errorf("%s", text)
	}
}

func TestOrdersNotAnsweringIsSaidOnce(t *testing.T) {
	p := quick()
	answers := 0
	url, _ := streaming(t, p, askedFor(func() (*ordersv1.Order, error) {
		if answers++; answers < 10 {
			return nil, errors.New("no answer")
		}
		return &ordersv1.Order{State: ordersv1.Order_EXPIRED}, nil
	}))
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if text := string(all); err != nil || strings.Count(text, "event: unreachable") != 1 || strings.Count(text, "event: order") != 1 || !strings.HasSuffix(text, "event: end\ndata: {}\n\n") {
		t.Errorf("%v %s", err, text)
	}
}

// A reader that takes nothing is given up once the buffers between us are full.
func TestAReaderThatDoesNotReadIsGivenUp(t *testing.T) {
	p := quick()
	p.write = 50 * time.Millisecond
	n := 0
	url, over := streaming(t, p, askedFor(func() (*ordersv1.Order, error) {
		n++
		return &ordersv1.Order{State: ordersv1.Order_PENDING, PlanId: strings.Repeat("x", 1<<20), AmountMinor: int64(n)}, nil
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(url[:strings.Index(url, "/v1/")], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("GET /v1/orders/" + aReference + "/events HTTP/1.1\r\nHost: example.com\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-over:
	case <-time.After(20 * time.Second):
		t.Fatal("the stream goes on for nobody")
	}
}

func TestStreamsAreBoundedTogetherAndByAddress(t *testing.T) {
	open := newTurnstile(2, 3)
	enter := func(ip string) int { return open.enter(network(netip.MustParseAddr(ip))) }
	for _, c := range []struct {
		ip   string
		want int
	}{
		{"192.0.2.1", 0}, {"192.0.2.1", 0}, {"192.0.2.1", 429}, {"2001:db8::1", 0}, {"192.0.2.2", 503},
	} {
		if got := enter(c.ip); got != c.want {
			t.Errorf("%s: %d, want %d", c.ip, got, c.want)
		}
	}
	open.leave(network(netip.MustParseAddr("192.0.2.1")))
	// Of IPv6, a household's addresses count as one.
	if got := enter("2001:db8::2"); got != 0 {
		t.Error(got)
	}
	if got := enter("2001:db8::3"); got != 429 {
		t.Error(got)
	}
	for _, ip := range []string{"192.0.2.1", "2001:db8::1", "2001:db8::2"} {
		open.leave(network(netip.MustParseAddr(ip)))
	}
	if open.all != 0 || len(open.by) != 0 {
		t.Errorf("left over: %+v", open)
	}
}
