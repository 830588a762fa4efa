package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
)

// A flood from one address is refused before anything is done, and takes nothing
// from Stripe or from whoever asks whether the process lives.
func TestAFloodIsRefusedAndStripeIsHeard(t *testing.T) {
	gw := start(t, map[string]string{"REQUESTS_PER_IP": "1", "ALLOWED_ORIGINS": "https://app.example.com"})
	var placed atomic.Int64
	gw.peers.Orders.Answer(func(context.Context, proto.Message) (*ordersv1.Order, error) {
		placed.Add(1)
		return &ordersv1.Order{State: ordersv1.Order_COMPLETE}, nil
	})
	var a answer
	through := 0
	for through < 100 {
		if a = gw.place(t, "Origin", "https://app.example.com"); a.status != 200 {
			break
		}
		through++
	}
	a.wants(t, http.StatusTooManyRequests, "TOO_MANY_REQUESTS")
	// The script of a checkout must be able to read the refusal.
	if a.header.Get("Retry-After") != "1" || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || through < 10 {
		t.Errorf("after %d: %v", through, a.header)
	}
	if int(placed.Load()) != through {
		t.Errorf("%d purchases reached Orders and %d were answered", placed.Load(), through)
	}
	gw.peers.Payments.Webhook = func(*paymentsv1.ReceiveWebhookRequest) (string, error) { return "PROCESSED", nil }
	for range 100 {
		if a := gw.do(t, http.MethodPost, "/webhooks/stripe", `{}`); a.status != 200 {
			t.Fatalf("a delivery: %d %s", a.status, a.body)
		}
		if a := gw.do(t, http.MethodGet, "/healthz", ""); a.status != 200 {
			t.Fatalf("/healthz: %d", a.status)
		}
	}
}

// What a service refuses as too often says when to come again, too.
func TestARefusalOfAServiceSaysWhenToComeAgain(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(nil, apperr.New(codes.ResourceExhausted, "TOO_MANY_ATTEMPTS", "too many tries"))
	a := gw.place(t)
	a.wants(t, http.StatusTooManyRequests, "TOO_MANY_ATTEMPTS")
	if a.header.Get("Retry-After") != "3600" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
}

// Deliveries that hang do not pile up, and take no purchase's place.
func TestDeliveriesInHandAreBounded(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_COMPLETE}, nil)
	release := make(chan struct{})
	gw.peers.Payments.Webhook = func(*paymentsv1.ReceiveWebhookRequest) (string, error) { <-release; return "PROCESSED", nil }
	const sent, most = 300, 256
	answered := make(chan *http.Response, sent)
	var all sync.WaitGroup
	for range sent {
		all.Go(func() {
			// Larger than what shares a call with others, so that each is one.
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gw.url+"/webhooks/stripe", strings.NewReader(strings.Repeat("x", 17<<10)))
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			answered <- resp
		})
	}
	for range sent - most {
		select {
		case resp := <-answered:
			if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "5" {
				t.Errorf("one too many: %s, %v", resp.Status, resp.Header)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("too many are in hand")
		}
	}
	if a := gw.place(t); a.status != 200 {
		t.Errorf("a purchase beside them: %d %s", a.status, a.body)
	}
	close(release)
	all.Wait()
	for range most {
		if resp := <-answered; resp.StatusCode != 200 {
			t.Errorf("one that was taken: %s", resp.Status)
		}
	}
	if a := gw.do(t, http.MethodPost, "/webhooks/stripe", "{}"); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}
