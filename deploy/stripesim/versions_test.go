package stripesim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"makegood.example/deploy/stripesim"
)

// bodies keeps what was delivered, by type: the last of each.
type bodies struct {
	mu   sync.Mutex
	last map[string]map[string]any
}

func (b *bodies) of(eventType string) map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[eventType]
}

// at walks into a body by a dotted path; numbers index lists. ok is false when
// there is nothing at the path.
func at(v any, path string) (any, bool) {
	for _, step := range strings.Split(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			inner, ok := node[step]
			if !ok {
				return nil, false
			}
			v = inner
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(node) {
				return nil, false
			}
			v = node[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func TestEventsInOtherVersions(t *testing.T) {
	for version, want := range map[string]struct{ has, lacks map[string][]string }{
		"2025-10-29.clover": {
			has: map[string][]string{
				"invoice.paid": {"data.object.parent.subscription_details.subscription", "data.object.parent.subscription_details.metadata.order_id",
					"data.object.lines.data.0.pricing.price_details.price", "data.object.lines.data.0.parent.subscription_item_details.subscription"},
				"customer.subscription.updated": {"data.object.items.data.0.current_period_end"},
				"payment_intent.succeeded":      {"data.object.latest_charge"},
				"invoice_payment.paid":          {"data.object.payment.payment_intent", "data.object.invoice"},
				"charge.refunded":               {"data.object.amount_refunded", "data.previous_attributes.amount_refunded"},
			},
			lacks: map[string][]string{
				"invoice.paid":                  {"data.object.subscription", "data.object.charge", "data.object.payment_intent", "data.object.paid", "data.object.lines.data.0.price"},
				"customer.subscription.updated": {"data.object.current_period_end", "data.object.current_period_start"},
				"payment_intent.succeeded":      {"data.object.charges", "data.object.invoice"},
				"charge.refunded":               {"data.object.invoice", "data.object.refunds"},
			},
		},
		"2020-03-02": {
			has: map[string][]string{
				"invoice.paid":                  {"data.object.subscription", "data.object.charge", "data.object.payment_intent", "data.object.tax_percent"},
				"customer.subscription.updated": {"data.object.current_period_end", "data.object.plan.id"},
				"payment_intent.succeeded":      {"data.object.charges.data.0.id", "data.object.charges.data.0.refunds.data"},
				"charge.refunded":               {"data.object.refunds.data.0.amount", "data.object.invoice"},
			},
			lacks: map[string][]string{"invoice.paid": {"data.object.parent"}},
		},
		stripe.APIVersion: {
			has:   map[string][]string{"invoice.paid": {"data.object.subscription"}, "customer.subscription.updated": {"data.object.current_period_end"}},
			lacks: map[string][]string{"payment_intent.succeeded": {"data.object.charges"}, "charge.refunded": {"data.object.refunds"}},
		},
	} {
		got := &bodies{last: map[string]map[string]any{}}
		endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Error(err)
			}
			if err := webhook.ValidatePayload(body, req.Header.Get("Stripe-Signature"), secret); err != nil {
				t.Error(err)
			}
			var ev map[string]any
			if err := json.Unmarshal(body, &ev); err != nil {
				t.Error(err)
			}
			got.mu.Lock()
			defer got.mu.Unlock()
			got.last[ev["type"].(string)] = ev
		}))
		t.Cleanup(endpoint.Close)
		s := start(t, stripesim.Config{Endpoints: []stripesim.Endpoint{{URL: endpoint.URL, Secret: secret}}, RetryBase: 10 * time.Millisecond})
		s.control("POST", "webhooks", map[string]any{"api_version": version}, nil)
		sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(s.payer("pm_card_visa").ID, s.yearly(24900))))
		must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(sub.LatestInvoice.Charge.ID), Amount: stripe.Int64(100)}))
		await(t, "the deliveries", func() bool {
			for _, d := range s.deliveries() {
				if d.State != "delivered" {
					return false
				}
			}
			return true
		})
		for eventType, paths := range want.has {
			ev := got.of(eventType)
			if ev["api_version"] != version {
				t.Errorf("%s: %s is in %v", version, eventType, ev["api_version"])
			}
			for _, path := range paths {
				if _, ok := at(ev, path); !ok {
					t.Errorf("%s: %s has no %s", version, eventType, path)
				}
			}
		}
		for eventType, paths := range want.lacks {
			for _, path := range paths {
				if _, ok := at(got.of(eventType), path); ok {
					t.Errorf("%s: %s has %s", version, eventType, path)
				}
			}
		}
		// The API itself goes on in its own version.
		it := s.stripe.Events.List(&stripe.EventListParams{Type: stripe.String("invoice.paid")})
		if !it.Next() || it.Event().APIVersion != stripe.APIVersion || it.Event().Data.Object["subscription"] != sub.ID {
			t.Errorf("%s: %+v", version, it.Event())
		}
	}
	s := start(t, stripesim.Config{})
	if status := s.status("POST", "webhooks", map[string]any{"api_version": "newest"}); status != 400 {
		t.Errorf("any version: %d", status)
	}
}
