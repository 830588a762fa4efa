package e2e

import (
	"net/http"
	"testing"
)

// TestOrdersRestoredFromBeforeThePurchase: the database of Orders comes back
// from a backup that does not know a purchase. The browser repeats its request:
// the same order, and no second charge, grant or mail.
func TestOrdersRestoredFromBeforeThePurchase(t *testing.T) {
	t.Parallel()
	s := open(t, killing...)
	s.pauseWebhooks(t, true)
	b := s.buyer("restored")
	first := b.pays(t, card)
	if !first.fulfilled() {
		t.Fatalf("the purchase: %d %s", first.Status, first.Body)
	}
	b.judgeFulfilled(t, outcome{})
	s.pauseWebhooks(t, false)
	s.awaitDeliveries(t)

	// The owner takes away what a backup from before would not have.
	s.down(t, "orders")
	for _, sql := range []string{
		"DELETE FROM orders.river_job", "DELETE FROM orders.history", "DELETE FROM orders.submissions", "DELETE FROM orders.orders",
	} {
		if _, err := s.DB().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	s.up(t, "orders")
	if gone := b.looks(t); gone.Status != http.StatusNotFound || gone.Reason != "ORDER_NOT_FOUND" {
		t.Fatalf("after the restore the order is still there: %d %s", gone.Status, gone.Body)
	}

	again := b.pays(t, card)
	if again.Status != http.StatusOK || again.ID != first.ID || again.Reference != first.Reference {
		t.Errorf("the repeated request got %d %s, want order %s", again.Status, again.Body, first.ID)
	}
	r := b.awaitAccess(t)
	if !again.AccessUntil.Equal(*first.AccessUntil) {
		t.Errorf("access until %s, before the restore until %s", again.AccessUntil, first.AccessUntil)
	}
	stripe := b.atStripe(t)
	if len(stripe.charges) != 1 || len(stripe.intents) != 1 {
		t.Errorf("Stripe has charges %+v of intents %+v, want one", stripe.charges, stripe.intents)
	}
	if n := s.count(t, "SELECT count(*) FROM provisioning.grants"); n != 1 {
		t.Errorf("%d grants, want one", n)
	}
	b.judgeMails(t, r.ID, tells(first.State), 1)
}
