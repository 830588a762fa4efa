package stripesim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func (s *sim) balance(p *stripe.BalanceTransactionListParams) (out []*stripe.BalanceTransaction) {
	s.t.Helper()
	it := s.stripe.BalanceTransactions.List(p)
	for it.Next() {
		out = append(out, it.BalanceTransaction())
	}
	if it.Err() != nil {
		s.t.Fatal(it.Err())
	}
	return out
}

func TestBalanceIsBookedAndPaidOutDaily(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := start(t, stripesim.Config{Clock: func() time.Time { return noon }})
	ch := s.pay("pm_card_visa", 24900)
	get := &stripe.ChargeParams{}
	get.AddExpand("balance_transaction")
	b := must[*stripe.Charge](t)(s.stripe.Charges.Get(ch.ID, get)).BalanceTransaction
	if b.Amount != 24900 || b.Fee != 752 || b.Net != 24148 || b.Type != "charge" || b.ReportingCategory != "charge" || b.Status != "pending" ||
		b.Source.ID != ch.ID || b.AvailableOn != time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC).Unix() {
		t.Fatalf("%+v", b)
	}
	re := must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID), Amount: stripe.Int64(900)}))

	euro := intent(1005, "")
	euro.Currency, euro.Confirm, euro.PaymentMethod = stripe.String("eur"), stripe.Bool(true), stripe.String("pm_card_visa")
	must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(euro))
	if b := s.balance(nil)[0]; b.Amount != 1106 || b.Currency != "usd" || b.ExchangeRate != 1.1 || b.Net != b.Amount-b.Fee {
		t.Errorf("converted: %+v", b)
	}
	if got := s.balance(&stripe.BalanceTransactionListParams{Source: stripe.String(re.ID)}); len(got) != 1 || got[0].Net != -900 || got[0].Type != "refund" {
		t.Errorf("by source: %+v", got)
	}
	if got := s.balance(&stripe.BalanceTransactionListParams{Type: stripe.String("charge")}); len(got) != 2 {
		t.Errorf("by type: %d", len(got))
	}

	s.advance(24 * time.Hour)
	if it := s.stripe.Payouts.List(nil); it.Next() {
		t.Error("paid out before it was available")
	}
	s.advance(15 * time.Hour) // Wednesday, three in the morning
	it := s.stripe.Payouts.List(nil)
	if !it.Next() {
		t.Fatal("no payout", it.Err())
	}
	po := it.Payout()
	var net int64
	parts := s.balance(&stripe.BalanceTransactionListParams{Payout: stripe.String(po.ID)})
	for _, b := range parts {
		net += b.Net
		if b.Status != "available" && b.Type != "payout" {
			t.Errorf("%+v", b)
		}
	}
	if want := int64(24148 - 900 + 1106 - 62); po.Amount != want || po.Status != stripe.PayoutStatusInTransit || net != 0 || len(parts) != 4 {
		t.Errorf("payout of %d, want %d; %s; parts %d, sum %d", po.Amount, want, po.Status, len(parts), net)
	}
	s.advance(24 * time.Hour)
	if po = must[*stripe.Payout](t)(s.stripe.Payouts.Get(po.ID, nil)); po.Status != stripe.PayoutStatusPaid {
		t.Errorf("%+v", po)
	}
	for _, want := range []string{"payout.created", "payout.paid"} {
		if !slices.Contains(eventTypes(s.state()), want) {
			t.Errorf("no %s", want)
		}
	}
	if other := s.stripe.Payouts.List(nil); !other.Next() || other.Next() {
		t.Error("not exactly one payout")
	}
}
