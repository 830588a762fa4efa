package stripesim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

// pay makes a paid charge and returns it.
func (s *sim) pay(method string, amount int64) *stripe.Charge {
	s.t.Helper()
	p := intent(amount, "")
	p.Confirm, p.PaymentMethod = stripe.Bool(true), stripe.String(method)
	pi := must[*stripe.PaymentIntent](s.t)(s.stripe.PaymentIntents.New(p))
	return s.charge(pi.LatestCharge.ID)
}

func (s *sim) charge(id string) *stripe.Charge {
	s.t.Helper()
	return must[*stripe.Charge](s.t)(s.stripe.Charges.Get(id, nil))
}

// news are the event types since the last call.
func (s *sim) news(seen *int) []string {
	s.t.Helper()
	all := eventTypes(s.state())
	out := all[*seen:]
	*seen = len(all)
	return out
}

func TestRefundThatFailsLater(t *testing.T) {
	for name, fail := range map[string]func(s *sim, id string){
		"by hand":      func(s *sim, id string) { s.control("POST", "refunds/"+id+"/fail", nil, nil) },
		"by its card":  func(s *sim, _ string) { s.advance(121 * time.Hour) },
		"while it was": func(s *sim, id string) { s.control("POST", "refunds/"+id+"/fail", nil, nil) },
	} {
		s, seen := start(t, stripesim.Config{}), 0
		card := map[string]string{"by hand": "pm_card_visa", "by its card": "pm_card_refundFail", "while it was": "pm_card_pendingRefund"}[name]
		ch := s.pay(card, 24900)
		re := must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID)}))
		if pending := re.Status == stripe.RefundStatusPending; pending != (name == "while it was") {
			t.Fatalf("%s: %s", name, re.Status)
		}
		if ch = s.charge(ch.ID); !ch.Refunded || ch.AmountRefunded != 24900 {
			t.Fatalf("%s: %+v", name, ch)
		}
		s.news(&seen)
		fail(s, re.ID)
		get := &stripe.RefundParams{}
		get.AddExpand("failure_balance_transaction")
		re = must[*stripe.Refund](t)(s.stripe.Refunds.Get(re.ID, get))
		if ch = s.charge(ch.ID); ch.Refunded || ch.AmountRefunded != 0 {
			t.Errorf("%s: %+v", name, ch)
		}
		if re.Status != stripe.RefundStatusFailed || re.FailureReason == "" || re.FailureBalanceTransaction.Amount != 24900 {
			t.Errorf("%s: %+v", name, re)
		}
		got := slices.DeleteFunc(s.news(&seen), func(e string) bool { return e[:6] == "payout" })
		if want := []string{"charge.refund.updated", "refund.updated", "refund.failed"}; !slices.Equal(got, want) {
			t.Errorf("%s: events %v, want %v", name, got, want)
		}
		if status := s.status("POST", "refunds/"+re.ID+"/fail", nil); status != 409 {
			t.Errorf("%s: fails twice", name)
		}
		must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID)}))
	}
}

func TestPendingRefundsSucceedLater(t *testing.T) {
	s := start(t, stripesim.Config{})
	pi := s.debit("pm_usBankAccount_success")
	_, err := s.stripe.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)})
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "") // no money yet
	s.advance(72 * time.Hour)
	byBank := must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(pi.ID)}))
	byCard := must[*stripe.Refund](t)(s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(s.pay("pm_card_pendingRefund", 500).ID)}))
	s.control("POST", "refunds/"+byCard.ID+"/succeed", nil, nil)
	s.advance(121 * time.Hour)
	for _, re := range []*stripe.Refund{byBank, byCard} {
		if re.Status != stripe.RefundStatusPending {
			t.Errorf("%s at first", re.Status)
		}
		if re = must[*stripe.Refund](t)(s.stripe.Refunds.Get(re.ID, nil)); re.Status != stripe.RefundStatusSucceeded {
			t.Errorf("%s in the end", re.Status)
		}
	}

	for want, p := range map[string]*stripe.RefundListParams{
		byBank.ID: {PaymentIntent: stripe.String(pi.ID)},
		byCard.ID: {Charge: stripe.String(byCard.Charge.ID)},
	} {
		var got []string
		for it := s.stripe.Refunds.List(p); it.Next(); {
			got = append(got, it.Refund().ID)
		}
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%v, want %s", got, want)
		}
	}
	none := &stripe.RefundListParams{CreatedRange: &stripe.RangeQueryParams{LesserThan: byBank.Created}}
	if it := s.stripe.Refunds.List(none); it.Next() {
		t.Error("a refund from before")
	}
}

func TestDisputes(t *testing.T) {
	for outcome, end := range map[string][]string{
		"won":  {"charge.dispute.funds_reinstated", "charge.dispute.closed"},
		"lost": {"charge.dispute.closed"},
	} {
		s, seen := start(t, stripesim.Config{}), 0
		ch := s.pay("pm_card_visa", 24900)
		s.news(&seen)
		var made struct{ ID string }
		s.control("POST", "charges/"+ch.ID+"/dispute", map[string]any{"reason": "product_not_received", "amount": 24000}, &made)
		if status := s.status("POST", "charges/"+ch.ID+"/dispute", nil); status != 409 {
			t.Errorf("disputed twice: %d", status)
		}
		if got, want := s.news(&seen), []string{"charge.dispute.created", "charge.updated", "charge.dispute.funds_withdrawn"}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		if ch = s.charge(ch.ID); !ch.Disputed {
			t.Errorf("%+v", ch)
		}
		_, err := s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID)})
		wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeChargeDisputed)

		up := &stripe.DisputeParams{Evidence: &stripe.DisputeEvidenceParams{CustomerName: stripe.String("Jane Doe")}, Submit: stripe.Bool(true)}
		d := must[*stripe.Dispute](t)(s.stripe.Disputes.Update(made.ID, up))
		if d.Status != stripe.DisputeStatusUnderReview || d.Amount != 24000 || d.Reason != "product_not_received" || len(d.BalanceTransactions) != 1 ||
			d.Evidence.CustomerName != "Jane Doe" || d.BalanceTransactions[0].Net != -25500 {
			t.Errorf("%+v", d)
		}
		if got := s.news(&seen); !slices.Equal(got, []string{"charge.dispute.updated"}) {
			t.Errorf("events %v", got)
		}
		s.control("POST", "disputes/"+made.ID+"/close", map[string]string{"outcome": outcome}, nil)
		if got := s.news(&seen); !slices.Equal(got, end) {
			t.Errorf("events %v, want %v", got, end)
		}
		it := s.stripe.Disputes.List(&stripe.DisputeListParams{Charge: stripe.String(ch.ID)})
		if !it.Next() || string(it.Dispute().Status) != outcome || it.Dispute().PaymentIntent.ID != ch.PaymentIntent.ID {
			t.Errorf("%+v", it.Dispute())
		}
		if _, err = s.stripe.Refunds.New(&stripe.RefundParams{Charge: stripe.String(ch.ID)}); (err == nil) != (outcome == "won") {
			t.Errorf("refund after a dispute that was %s: %v", outcome, err)
		}
		_, err = s.stripe.Disputes.Close(made.ID, nil)
		wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "")
	}
}

func TestEarlyFraudWarnings(t *testing.T) {
	s, seen := start(t, stripesim.Config{}), 0
	ch := s.pay("pm_card_visa", 24900)
	s.news(&seen)
	s.control("POST", "charges/"+ch.ID+"/early_fraud_warning", map[string]string{"fraud_type": "made_with_stolen_card"}, nil)
	if got := s.news(&seen); !slices.Equal(got, []string{"radar.early_fraud_warning.created"}) {
		t.Errorf("events %v", got)
	}
	it := s.stripe.RadarEarlyFraudWarnings.List(&stripe.RadarEarlyFraudWarningListParams{Charge: stripe.String(ch.ID)})
	if !it.Next() || it.RadarEarlyFraudWarning().FraudType != "made_with_stolen_card" || !it.RadarEarlyFraudWarning().Actionable {
		t.Errorf("%+v", it.RadarEarlyFraudWarning())
	}
}
