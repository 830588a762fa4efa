package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"makegood.example/gateway/internal/peertest"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

const events = "/v1/orders/" + reference + "/events"

// event is one server-sent event; one without a name is the end of the stream.
type event struct{ name, data string }

// follow opens a stream and hands on its events until it ends.
func (r *running) follow(ctx context.Context, t *testing.T) (<-chan event, *http.Response) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+events, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	heard := make(chan event, 100)
	go func() {
		defer close(heard)
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					heard <- e
				}
				e = event{}
			}
		}
	}()
	return heard, resp
}

func next(t *testing.T, heard <-chan event) event {
	t.Helper()
	select {
	case e := <-heard:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was heard")
		return event{}
	}
}

func (e event) saysState(t *testing.T, want string) {
	t.Helper()
	var order struct{ State string }
	if err := json.Unmarshal([]byte(e.data), &order); e.name != "order" || err != nil || order.State != want {
		t.Fatalf("heard %s %s, want an order that is %s", e.name, e.data, want)
	}
}

func TestAStreamTellsEachChangeUntilTheOrderRests(t *testing.T) {
	gw := start(t, nil)
	order := func(state ordersv1.Order_State) *ordersv1.Order {
		return &ordersv1.Order{Reference: reference, State: state, PaymentError: &ordersv1.PaymentError{Message: "two\nlines"}}
	}
	gw.peers.Orders.AnswerWith(order(ordersv1.Order_PENDING), nil)
	heard, resp := gw.follow(t.Context(), t)
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" || resp.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	first := next(t, heard)
	first.saysState(t, "PENDING")
	got := gw.do(t, "GET", "/v1/orders/"+reference, "")
	if first.data != got.body {
		t.Errorf("an event has\n%s\nand GET has\n%s", first.data, got.body)
	}
	gw.peers.Orders.AnswerWith(order(ordersv1.Order_CHARGED), nil)
	next(t, heard).saysState(t, "CHARGED")
	gw.peers.Orders.AnswerWith(order(ordersv1.Order_COMPLETE), nil)
	next(t, heard).saysState(t, "COMPLETE")
	if e := next(t, heard); e.name != "end" {
		t.Errorf("heard %v", e)
	}
	if e, open := <-heard; open {
		t.Errorf("after the end: %v", e)
	}
	if strings.Contains(gw.log.String(), reference) {
		t.Error("the whole reference is in the log")
	}
}

func TestAStreamHealsWhenOrdersComesBack(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_CHARGED}, nil)
	gw.net.Stop(peertest.Orders)
	heard, _ := gw.follow(t.Context(), t)
	if e := next(t, heard); e.name != "unreachable" {
		t.Fatalf("heard %v", e)
	}
	gw.net.Restart(t, peertest.Orders)
	next(t, heard).saysState(t, "CHARGED")
	gw.net.Stop(peertest.Orders)
	if e := next(t, heard); e.name != "unreachable" {
		t.Fatalf("heard %v", e)
	}
	gw.net.Restart(t, peertest.Orders)
	// As it was: also that is news to someone who was told that we do not know.
	next(t, heard).saysState(t, "CHARGED")
}

func TestNobodyAsksForAReaderWhoIsGone(t *testing.T) {
	gw := start(t, nil)
	var asked atomic.Int64
	gone := make(chan struct{})
	gw.peers.Orders.Answer(func(ctx context.Context, _ proto.Message) (*ordersv1.Order, error) {
		if asked.Add(1) == 1 {
			return &ordersv1.Order{State: ordersv1.Order_PENDING}, nil
		}
		// Whoever still asks, is asked to wait, and hears when the reader leaves.
		<-ctx.Done()
		close(gone)
		return nil, ctx.Err()
	})
	ctx, leave := context.WithCancel(t.Context())
	heard, _ := gw.follow(ctx, t)
	next(t, heard).saysState(t, "PENDING")
	for asked.Load() < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	leave()
	<-gone
	gw.stop()
	if err := <-gw.ended; err != nil {
		t.Error(err)
	}
	close(gw.ended)
	if n := asked.Load(); n != 2 {
		t.Errorf("Orders was asked %d times", n)
	}
}

func TestStreamsEndAtOnceWhenTheServerIsToldToStop(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_PENDING}, nil)
	heard, _ := gw.follow(t.Context(), t)
	next(t, heard).saysState(t, "PENDING")
	gw.stop()
	if err := <-gw.ended; err != nil {
		t.Error(err)
	}
	close(gw.ended)
	if e, open := <-heard; open {
		t.Errorf("heard %v", e)
	}
	if strings.Contains(gw.log.String(), "cut off") {
		t.Error("the drain had to cut a stream off")
	}
}

func TestAStreamIsRefusedWithAnErrorLikeAnyCall(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(nil, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "x"))
	gw.do(t, "GET", events, "").wants(t, 404, "ORDER_NOT_FOUND")
	gw.do(t, "GET", "/v1/orders/not-a-uuid/events", "").wants(t, 400, "INVALID_ARGUMENT")
	gw.do(t, "POST", events, "{}", "Content-Type", "application/json").wants(t, 405, "METHOD_NOT_ALLOWED")

	gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_PENDING}, nil)
	if a := gw.do(t, "HEAD", events, ""); a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	var last context.CancelFunc
	for range 20 {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		last = leave
		heard, _ := gw.follow(ctx, t)
		next(t, heard).saysState(t, "PENDING")
	}
	if a := gw.do(t, "GET", events, ""); a.header.Get("Retry-After") == "" {
		t.Errorf("%v", a.header)
	} else {
		a.wants(t, 429, "TOO_MANY_STREAMS")
	}
	last()
	for deadline := time.Now().Add(20 * time.Second); ; {
		ctx, leave := context.WithCancel(t.Context())
		_, resp := gw.follow(ctx, t)
		leave()
		if resp.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a place that was left is not free again")
		}
	}
}
