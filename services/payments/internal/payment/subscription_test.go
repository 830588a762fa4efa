package payment_test

import (
	"testing"
	"time"

	"makegood.example/services/payments/internal/payment"
)

func TestWhenASubscriptionIsLookedAtNext(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 2, 28, 9, 0, 0, 0, time.UTC)
	end := start.AddDate(1, 0, 0)
	const hour = time.Hour
	retry := end.Add(74 * hour)
	open := payment.Invoice{ID: "in_1", Status: "open", Attempted: true, CreatedAt: end, NextAttemptAt: &retry}
	for name, c := range map[string]struct {
		status   string
		invoices []payment.Invoice
		at, want time.Duration // since the period's end; want 0 is never
	}{
		"in the middle of the term":                       {"active", nil, -200 * hour, -176 * hour},
		"before the day of the renewal":                   {"active", nil, -23 * hour, hour},
		"the term is over, and the next has not begun":    {"active", nil, 0, 90 * time.Minute},
		"Stripe must have charged":                        {"active", nil, 90 * time.Minute, 25*hour + 30*time.Minute},
		"after Stripe's next try":                         {"past_due", []payment.Invoice{open}, 73 * hour, 74*hour + 10*time.Minute},
		"over":                                            {"canceled", nil, hour, 0},
		"over, and an invoice can be paid":                {"canceled", []payment.Invoice{open}, hour, 25 * hour},
		"over for long, and an invoice can still be paid": {"canceled", []payment.Invoice{open}, 31 * 24 * hour, 0},
	} {
		sub, now := payment.Subscription{}, end.Add(c.at)
		sub.Observe(payment.SubscriptionNow{Status: c.status, PeriodStart: start, PeriodEnd: end}, c.invoices, now)
		switch {
		case c.want == 0 && sub.NextLookAt != nil:
			t.Errorf("%s: looked at %s after the end", name, sub.NextLookAt.Sub(end))
		case c.want != 0 && (sub.NextLookAt == nil || sub.NextLookAt.Sub(end) != c.want):
			t.Errorf("%s: looked at %v, want %s after the end", name, sub.NextLookAt, c.want)
		}
	}
	// The new period began a moment ago: its invoice is charged an hour later.
	sub := payment.Subscription{}
	sub.Observe(payment.SubscriptionNow{Status: "active", PeriodStart: end, PeriodEnd: end.AddDate(1, 0, 0)}, nil, end.Add(time.Minute))
	if got := sub.NextLookAt.Sub(end); got != 90*time.Minute {
		t.Errorf("looked at %s after the period began", got)
	}
}

func TestInvoicesBeforeTheOldestOpenOneAreNotListedAgain(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }
	paid := func(day int) payment.Invoice { return payment.Invoice{Status: "paid", CreatedAt: at(day)} }
	given := payment.Invoice{Status: "uncollectible", CreatedAt: at(2)}
	sub := payment.Subscription{}
	sub.Observe(payment.SubscriptionNow{}, []payment.Invoice{paid(1), given, paid(3)}, at(4))
	if !sub.SettledUntil.Equal(at(1)) {
		t.Errorf("settled until %s", sub.SettledUntil)
	}
	sub.Observe(payment.SubscriptionNow{}, []payment.Invoice{{Status: "void", CreatedAt: at(2)}, paid(3)}, at(4))
	if !sub.SettledUntil.Equal(at(2)) {
		t.Errorf("settled until %s", sub.SettledUntil)
	}
}

func TestTheIdsOfAnInvoicesOrderNeverChange(t *testing.T) {
	t.Parallel()
	id, reference := payment.OrderOf("in_1")
	if id.String() != "d4c7bc12-b977-5f18-ba96-6c12b2fb486c" || reference.String() != "79cecabb-2be4-5be0-9670-dfd590cc6ff3" {
		t.Errorf("order %s, reference %s", id, reference)
	}
}

func TestHowASubscriptionStands(t *testing.T) {
	t.Parallel()
	end := time.Date(2027, 2, 28, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		now    payment.SubscriptionNow
		want   payment.SubscriptionStatus
		renews bool
	}{
		"active":                   {payment.SubscriptionNow{Status: "active"}, payment.Active, true},
		"in a trial":               {payment.SubscriptionNow{Status: "trialing"}, payment.Active, true},
		"its renewal failed":       {payment.SubscriptionNow{Status: "past_due"}, payment.PastDue, true},
		"given up":                 {payment.SubscriptionNow{Status: "unpaid"}, payment.Unpaid, false},
		"paused":                   {payment.SubscriptionNow{Status: "paused"}, payment.Paused, false},
		"over":                     {payment.SubscriptionNow{Status: "canceled"}, payment.Ended, false},
		"ends with the term":       {payment.SubscriptionNow{Status: "active", CancelAt: end}, payment.Active, false},
		"ends within the term":     {payment.SubscriptionNow{Status: "active", CancelAt: end.AddDate(0, -1, 0)}, payment.Active, false},
		"ends after the next term": {payment.SubscriptionNow{Status: "active", CancelAt: end.AddDate(1, 0, 0)}, payment.Active, true},
		"is not collected":         {payment.SubscriptionNow{Status: "active", CollectionPaused: true}, payment.Active, false},
	} {
		c.now.PeriodEnd = end
		sub := payment.Subscription{}
		sub.Observe(c.now, nil, end.AddDate(0, -6, 0))
		if sub.Status != c.want || sub.Renews != c.renews {
			t.Errorf("%s: %s, renews %v", name, sub.Status, sub.Renews)
		}
	}
}
