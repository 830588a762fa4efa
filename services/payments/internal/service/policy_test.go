package service

import (
	"testing"
	"time"

	"makegood.example/services/payments/internal/payment"
)

// Every cell of what becomes of an event for which nobody is found.
func TestNobodysPolicy(t *testing.T) {
	for _, c := range []struct {
		kind               kind
		test, first, later outcome
		exampleOfTheKindIs string
	}{
		{intentPaid, orphan, orphanPath, orphanPath, "payment_intent.succeeded"},
		{chargePaid, orphan, orphanPath, orphanPath, "charge.succeeded"},
		{intentChanged, orphan, orphanPath, orphanPath, "payment_intent.processing"},
		{intentCanceled, drop, drop, drop, "payment_intent.canceled"},
		{subscriptionChanged, orphan, notYet, orphan, "customer.subscription.created"},
		{subscriptionChanged, orphan, notYet, orphan, "customer.subscription.updated"},
		{subscriptionDeleted, orphan, orphan, orphan, "customer.subscription.deleted"},
		{invoiceChanged, orphan, notYet, orphan, "invoice.paid"},
		{invoiceChanged, orphan, notYet, orphan, "invoice.payment_failed"},
		{chargeChanged, orphan, notYet, orphan, "charge.refunded"},
		{chargeChanged, orphan, notYet, orphan, "refund.failed"},
		{chargeChanged, orphan, notYet, orphan, "charge.dispute.created"},
		{checkoutCompleted, orphan, notYetAndCase, notYetAndCase, "checkout.session.completed"},
		{checkoutCompleted, orphan, notYetAndCase, notYetAndCase, "checkout.session.async_payment_succeeded"},
		{checkoutOver, orphan, notYet, orphan, "checkout.session.expired"},
		{customerDeleted, drop, drop, drop, "customer.deleted"},
	} {
		if kinds[c.exampleOfTheKindIs] != c.kind {
			t.Errorf("%s is of kind %d", c.exampleOfTheKindIs, kinds[c.exampleOfTheKindIs])
		}
		for attempt := range int32(9) {
			if got := nobodysPolicy(c.kind, false, attempt); got != c.test {
				t.Errorf("%s, test mode, attempt %d: %d", c.exampleOfTheKindIs, attempt, got)
			}
			want := c.first
			if attempt > 5 {
				want = c.later
			}
			if got := nobodysPolicy(c.kind, true, attempt); got != want {
				t.Errorf("%s, live, attempt %d: %d, want %d", c.exampleOfTheKindIs, attempt, got, want)
			}
		}
	}
	for eventType, k := range kinds {
		if k == noNews {
			t.Errorf("%s has no kind", eventType)
		}
	}
}

// Stripe closes a page in its time: one that it still shows as open long after is
// not waited for.
func TestAPageIsWaitedForUntilItsTime(t *testing.T) {
	ends := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	open := pageOpen{payment.Session{ID: "cs_1", ExpiresAt: ends}}
	for at, want := range map[time.Time]bool{ends.Add(-time.Second): true, ends.Add(time.Minute): true, ends.Add(2 * time.Hour): false} {
		if got := open.isWaiting(at); got != want {
			t.Errorf("at %s: %t", at, got)
		}
	}
}
