package oneprocess_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"makegood.example/deploy/internal/oneprocess"
)

// A page that the buyer left open cannot be paid any more once they have placed
// another order for the same.
func TestAPageThatWasLeftOpenIsClosedByTheNextOrder(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{Settings: map[string]string{"RECONCILE_EVERY": "2m"}})
	jane := w.Buyer("jane")
	left := jane.Orders("annual", "HOSTED").NextAction.URL
	jane.Reference = uuid.NewString()
	next := jane.Orders("annual", "HOSTED")
	if jane.TriesToPayOn(left, "pm_card_visa") {
		t.Error("the page that was left open could be paid")
	}
	jane.PaysOn(next.NextAction.URL, "pm_card_visa")
	w.Advance(time.Hour, nil)
	if now := jane.Looks(); now.State != "COMPLETE" && now.State != "RECOVERED" {
		t.Errorf("the order is %+v", now)
	}
	if cases := w.Cases(); len(cases) != 0 {
		t.Errorf("cases: %v", cases)
	}
}

// Money for an order beside its open page: the page is closed and the money gives
// access, without a case. Without a sweep it waits until the page has ended.
func TestMoneyBesideAnOpenPageGivesAccess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		every string
		after time.Duration
		post  oneprocess.Post
	}{
		"by the sweep":            {"2m", 30 * time.Minute, oneprocess.Prompt},
		"by the sweep alone":      {"2m", 30 * time.Minute, oneprocess.Silent},
		"when the page has ended": {"off", 26 * time.Hour, oneprocess.Prompt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneprocess.New(t, oneprocess.Options{Post: c.post, Settings: map[string]string{"RECONCILE_EVERY": c.every}})
			jane := w.Buyer("jane")
			o := jane.Orders("annual", "HOSTED")
			w.Stripe.Post("/v1/payment_intents", url.Values{
				"amount": {"24900"}, "currency": {"usd"}, "confirm": {"true"}, "customer": {w.Stripe.Customers(jane.Email)[0]},
				"payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"},
				"metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {o.ID}, "metadata[reference]": {jane.Reference}, "metadata[plan_id]": {"annual"},
			}, nil)
			w.Advance(c.after, nil)
			if now := jane.Looks(); now.State != "RECOVERED" {
				t.Errorf("the order is %+v", now)
			}
			if jane.TriesToPayOn(o.NextAction.URL, "pm_card_visa") {
				t.Error("the page could be paid, too")
			}
			if cases := w.Cases(); len(cases) != 0 {
				t.Errorf("cases: %v", cases)
			}
			var waiting int
			if err := w.DB.QueryRow(t.Context(), `SELECT count(*) FROM payments.webhook_events WHERE status IN ('RECEIVED', 'FAILED')`).Scan(&waiting); err != nil || waiting != 0 {
				t.Errorf("%d events still wait, %v", waiting, err)
			}
		})
	}
}
