package stripesim_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func TestSeededChargesAreListedChangedAndRestored(t *testing.T) {
	cfg := stripesim.Config{JournalPath: filepath.Join(t.TempDir(), "journal")}
	s := start(t, cfg)
	s.control("POST", "seed/charges", map[string]any{"count": 1000, "customer": "cus_seed{n}", "metadata": map[string]string{"order_id": "0193-{x12}"},
		"foreign_every": 10, "failed_every": 25, "refund_every": 40, "payment_intents": true}, nil)
	count := func(s *sim) (n, foreign, failed, refunded int) {
		p := &stripe.ChargeListParams{}
		p.Limit = stripe.Int64(100)
		p.AddExpand("data.balance_transaction")
		it := s.stripe.Charges.List(p)
		for last := int64(1 << 60); it.Next(); n++ {
			ch := it.Charge()
			if ch.Created > last {
				t.Fatal("not newest first")
			}
			last = ch.Created
			if ch.Metadata["order_id"] == "" {
				foreign++
			}
			if !ch.Paid {
				failed++
			} else if ch.BalanceTransaction.Net != 24148 {
				t.Fatalf("%+v", ch.BalanceTransaction)
			}
			if ch.Refunded {
				refunded++
			}
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
		return n, foreign, failed, refunded
	}
	if n, foreign, failed, refunded := count(s); n != 1000 || foreign != 100 || failed != 40 || refunded != 20 {
		t.Errorf("%d charges, %d foreign, %d failed, %d refunded", n, foreign, failed, refunded)
	}
	ch := s.charge("ch_3Seed000000000042")
	if ch.Metadata["order_id"] != "0193-00000000002a" || ch.Customer.ID != "cus_seed42" {
		t.Errorf("%+v", ch)
	}
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Get(ch.PaymentIntent.ID, nil))
	if pi.Status != "succeeded" || pi.LatestCharge.ID != ch.ID {
		t.Errorf("%+v", pi)
	}
	by := s.stripe.Charges.List(&stripe.ChargeListParams{PaymentIntent: stripe.String(pi.ID)})
	if !by.Next() || by.Charge().ID != ch.ID || by.Next() {
		t.Error("not found by its intent")
	}
	must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID), Amount: stripe.Int64(900)}))
	if status := s.status("POST", "seed/charges", map[string]any{"count": 1}); status != 409 {
		t.Errorf("the same tag twice: %d", status)
	}
	for range 2 { // the second start reads a compacted file
		s.stop()
		s = start(t, cfg)
		if n, _, _, refunded := count(s); n != 1000 || refunded != 20 {
			t.Errorf("%d charges after a restart", n)
		}
		if got := s.charge(ch.ID); got.AmountRefunded != 900 {
			t.Errorf("%+v", got)
		}
	}
	po := s.stripe.Payouts.List(nil)
	if !po.Next() || po.Payout().Status != "paid" {
		t.Fatalf("%+v", po.Payout())
	}
	var net int64
	for _, b := range s.balance(&stripe.BalanceTransactionListParams{Payout: stripe.String(po.Payout().ID)}) {
		net += b.Net
	}
	if net != 0 {
		t.Errorf("a payout and its parts differ by %d", net)
	}
}

func TestAPageInTheMiddleFails(t *testing.T) {
	s := start(t, stripesim.Config{})
	s.control("POST", "seed/charges", map[string]any{"count": 50}, nil)
	read := func() (int, error) {
		p := &stripe.ChargeListParams{}
		p.Limit = stripe.Int64(10)
		it, n := s.stripe.Charges.List(p), 0
		for it.Next() {
			n++
		}
		return n, it.Err()
	}
	for name, c := range map[string]struct {
		fault map[string]any
		want  int
	}{
		"page 2":    {map[string]any{"path": "/v1/charges", "mode": "error_before", "status": 503, "query": "starting_after=*", "times": 1}, 10},
		"page 4":    {map[string]any{"path": "/v1/charges", "mode": "error_before", "status": 429, "skip": 3, "times": 1}, 30},
		"truncated": {map[string]any{"path": "/v1/charges", "truncate": 700, "query": "starting_after=ch_*", "skip": 1, "times": 1}, 20},
	} {
		s.control("POST", "faults", c.fault, nil)
		n, err := read()
		if n != c.want || err == nil {
			t.Errorf("%s: %d charges, %v", name, n, err)
		}
		var answered *stripe.Error
		if name == "truncated" && errors.As(err, &answered) {
			t.Errorf("Stripe answered: %v", err)
		}
		if n, err = read(); n != 50 || err != nil {
			t.Errorf("%s, again: %d charges, %v", name, n, err)
		}
		s.control("DELETE", "faults", nil, nil)
	}
	if status := s.status("POST", "faults", map[string]any{"path": "/v1/charges", "mode": "error_before", "query": "nothing"}); status != 400 {
		t.Errorf("a query without a pattern: %d", status)
	}
}

// BenchmarkPageOfAMillion reads pages of 100 at the newest, in the middle by
// created, and after an object, among a million charges.
func BenchmarkPageOfAMillion(b *testing.B) {
	server, err := stripesim.New(stripesim.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	s := bench(b, server)
	now := time.Now().Unix()
	began := time.Now()
	s.post("/_sim/seed/charges", `{"count":1000000,"metadata":{"makegood_app":"bench","order_id":"{n12}"}}`)
	b.Logf("seeded in %s", time.Since(began))
	for name, query := range map[string]string{
		"newest":  "",
		"created": fmt.Sprintf("&created[lt]=%d", now-20*86400),
		"after":   "&starting_after=ch_3Seed000000500000",
		"intent":  "&payment_intent=pi_3Seed000000500000",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.get("/v1/charges?limit=100" + query)
			}
		})
	}
}
