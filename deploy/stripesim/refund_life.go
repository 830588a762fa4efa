package stripesim

import "net/http"

// refundChanged tells of a refund under the names it has had over the years.
func (t *tx) refundChanged(re *Refund, before Refund) {
	previous := changed(before, *re)
	t.emit("charge.refund.updated", re, previous)
	t.emit("refund.updated", re, previous)
}

// settleRefund is the day on which the customer's bank takes a slow refund, or
// sends it back.
func (t *tx) settleRefund(id string) {
	re, ok := t.w.refunds.get(id)
	if !ok || re.Status == refundFailed {
		return
	}
	ch, _ := t.w.charges.get(re.Charge)
	if card := ch.PaymentMethodDetails.Card; card != nil && testMethodByLast4(testCards, card.Last4).refund == refundFailed {
		t.failRefund(re, "expired_or_canceled_card")
		return
	}
	t.succeedRefund(re)
}

func (t *tx) succeedRefund(re *Refund) {
	before := *re
	re.Status = succeeded
	save(t, t.w.refunds, re)
	t.refundChanged(re, before)
}

// failRefund puts the money of a refund that did not arrive back on the balance
// and on the charge.
func (t *tx) failRefund(re *Refund, reason string) {
	t.unschedule("refund", re.ID)
	before := *re
	ch, _ := t.w.charges.get(re.Charge)
	ch.AmountRefunded -= re.Amount
	ch.Refunded = false
	save(t, t.w.charges, ch)
	re.Status, re.FailureReason = refundFailed, reason
	re.FailureBalance = t.book(movement{kind: "refund_failure", category: "refund_failure", source: re.ID, currency: re.Currency, amount: re.Amount,
		description: "REFUND FAILURE FOR CHARGE"}).ID
	save(t, t.w.refunds, re)
	t.refundChanged(re, before)
	t.emit("refund.failed", re, nil)
}

func (s *Server) findRefund(id string) (*tx, *Refund) {
	for _, w := range s.worlds {
		if re, ok := w.refunds.get(id); ok {
			return s.newTx(w), re
		}
	}
	return nil, nil
}

var refundFailureReasons = map[string]bool{"lost_or_stolen_card": true, "expired_or_canceled_card": true, "charge_for_pending_refund_disputed": true,
	"insufficient_funds": true, "declined": true, "merchant_request": true, "unknown": true}

func (s *Server) controlFailRefund(w http.ResponseWriter, r *http.Request) {
	in := struct {
		Reason string `json:"reason"`
	}{"unknown"}
	if r.ContentLength != 0 && !read(w, r, &in) {
		return
	}
	if !refundFailureReasons[in.Reason] {
		refuse(w, http.StatusBadRequest, "unknown reason")
		return
	}
	s.change(w, func() (*tx, object, string) {
		t, re := s.findRefund(r.PathValue("id"))
		if re == nil {
			return nil, nil, ""
		}
		if re.Status == refundFailed {
			return nil, nil, "the refund has failed already"
		}
		t.failRefund(re, in.Reason)
		return t, re, ""
	})
}

func (s *Server) controlSucceedRefund(w http.ResponseWriter, r *http.Request) {
	s.change(w, func() (*tx, object, string) {
		t, re := s.findRefund(r.PathValue("id"))
		if re == nil {
			return nil, nil, ""
		}
		if re.Status != refundPending {
			return nil, nil, "the refund is " + re.Status
		}
		t.unschedule("refund", re.ID)
		t.succeedRefund(re)
		return t, re, ""
	})
}
