package stripesim

import "net/http"

// process starts a debit whose outcome is known only days later.
func (t *tx) process(pi *PaymentIntent, pm *PaymentMethod) {
	ch := t.newCharge(pi, pm)
	ch.Status, ch.Captured, ch.AmountCaptured = "pending", true, ch.Amount
	ch.StatementCalculated = "MAKEGOOD"
	ch.Outcome = &outcome{NetworkStatus: "approved_by_network", RiskLevel: "not_assessed", SellerMessage: "Payment complete.", Type: "authorized"}
	save(t, t.w.charges, ch)
	pi.Status, pi.NextAction, pi.LastPaymentError, pi.LatestCharge = processing, nil, nil, NullString(ch.ID)
	save(t, t.w.paymentIntents, pi)
	t.emit("payment_intent.processing", pi, nil)
	t.emit("charge.pending", ch, nil)
	t.keepMethod(pi, pm)
	t.follow(pi)
	if !pm.behaviour().never {
		t.after(t.s.settings.settleDelay(), "settle", pi.ID)
	}
}

// settleLater is the day on which the bank answers.
func (t *tx) settleLater(id string) {
	if pi, ok := t.w.paymentIntents.get(id); ok && pi.Status == processing {
		pm, _ := t.w.paymentMethods.get(string(pi.PaymentMethod))
		t.finishProcessing(pi, pm, pm.behaviour().decline)
	}
}

// finishProcessing is the bank's answer to a debit.
func (t *tx) finishProcessing(pi *PaymentIntent, pm *PaymentMethod, d decline) {
	t.unschedule("settle", pi.ID)
	ch, _ := t.w.charges.get(string(pi.LatestCharge))
	if d.code == "" {
		t.succeed(pi, pm, ch)
		return
	}
	t.failCharge(pi, pm, ch, d, &Error{status: http.StatusPaymentRequired, Type: typeInvalidRequest, Code: "payment_intent_payment_attempt_failed",
		DocURL:  "https://stripe.com/docs/error-codes/payment-intent-payment-attempt-failed",
		Message: "The payment failed: " + d.message})
}

func (s *Server) controlSettle(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Outcome string `json:"outcome"`
	}
	if !read(w, r, &in) {
		return
	}
	if in.Outcome != "success" && in.Outcome != "failure" {
		refuse(w, http.StatusBadRequest, "outcome must be success or failure")
		return
	}
	s.change(w, func() (*tx, object, string) {
		mode, pi := s.findIntent(r.PathValue("id"))
		if pi == nil {
			return nil, nil, ""
		}
		if pi.Status != processing {
			return nil, nil, "the payment intent is " + pi.Status
		}
		t := s.newTx(mode)
		pm, _ := mode.paymentMethods.get(string(pi.PaymentMethod))
		d := decline{}
		if in.Outcome == "failure" {
			if d = pm.behaviour().decline; d.code == "" {
				d = testBanks["failure"].decline
			}
		}
		t.finishProcessing(pi, pm, d)
		return t, pi, ""
	})
}
