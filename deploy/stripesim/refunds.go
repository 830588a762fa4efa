package stripesim

import (
	"net/http"
	"slices"
)

// Refund is Stripe's refund.
type Refund struct {
	Header
	Amount             int64             `json:"amount"` // minor units
	BalanceTransaction NullString        `json:"balance_transaction"`
	Charge             string            `json:"charge"`
	Currency           string            `json:"currency"`
	Destination        map[string]any    `json:"destination_details"`
	FailureBalance     string            `json:"failure_balance_transaction,omitempty"`
	FailureReason      string            `json:"failure_reason,omitempty"`
	Metadata           map[string]string `json:"metadata"`
	PaymentIntent      NullString        `json:"payment_intent"`
	Reason             NullString        `json:"reason"`
	ReceiptNumber      NullString        `json:"receipt_number"`
	SourceReversal     NullString        `json:"source_transfer_reversal"`
	Status             string            `json:"status"`
	TransferReversal   NullString        `json:"transfer_reversal"`
}

// The states of a refund; succeeded is the third.
const (
	refundPending = "pending"
	refundFailed  = "failed"
)

func createRefund(c *call) (any, *Error) {
	p := c.params
	re := &Refund{Header: c.header("re_", "refund", 24), Metadata: map[string]string{}, Status: succeeded}
	ch, err := c.chargeToRefund()
	if err != nil {
		return nil, err
	}
	re.Reason = NullString(p.oneOf("reason", "duplicate", "fraudulent", "requested_by_customer"))
	p.metadata(re.Metadata)
	p.ignore("refund_application_fee", "reverse_transfer", "instructions_email")
	left := ch.AmountCaptured - ch.AmountRefunded
	re.Amount = left
	if p.has("amount") {
		re.Amount = p.integer("amount")
		if re.Amount <= 0 {
			p.fail("parameter_invalid_integer", "amount", "This value must be greater than or equal to 1.")
		}
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	switch {
	case !ch.Paid:
		return nil, errState("", "charge", "This charge (%s) has not succeeded and cannot be refunded.", ch.ID)
	case c.w.chargedBack(ch):
		return nil, errState("charge_disputed", "", "Charge %s has been charged back; cannot issue a refund.", ch.ID)
	case left == 0:
		return nil, errState("charge_already_refunded", "", "Charge %s has already been refunded.", ch.ID)
	case re.Amount > left:
		return nil, errState("", "amount", "Refund amount (%d) is greater than unrefunded amount on charge (%d), in minor units of %s.", re.Amount, left, ch.Currency)
	}
	c.refund(ch, re)
	return re, nil
}

// refund gives money back: at once, except to a bank account or one of the test
// cards whose refunds take their time.
func (t *tx) refund(ch *Charge, re *Refund) {
	re.Charge, re.Currency, re.PaymentIntent = ch.ID, ch.Currency, ch.PaymentIntent
	kind := "refund"
	if ch.slow() {
		kind = "payment_refund"
		re.Status = refundPending
		re.Destination = map[string]any{"type": "us_bank_transfer", "us_bank_transfer": map[string]any{}}
	} else {
		re.Destination = map[string]any{"type": "card", "card": map[string]any{"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}}
		later := testMethodByLast4(testCards, ch.PaymentMethodDetails.Card.Last4).refund
		if later == refundPending {
			re.Status = refundPending
		}
		if later == refundFailed {
			t.after(t.s.settings.refundDelay(), "refund", re.ID)
		}
	}
	if re.Status == refundPending {
		t.after(t.s.settings.refundDelay(), "refund", re.ID)
	}
	re.BalanceTransaction = NullString(t.book(movement{kind: kind, category: "refund", source: re.ID, currency: re.Currency, amount: -re.Amount,
		description: "REFUND FOR CHARGE"}).ID)
	before := *ch
	ch.AmountRefunded += re.Amount
	ch.Refunded = ch.AmountRefunded == ch.Amount
	save(t, t.w.refunds, re)
	save(t, t.w.charges, ch)
	t.emit("charge.refunded", ch, changed(before, *ch))
	t.emit("refund.created", re, nil)
}

// chargeToRefund finds the charge by its own id or as the intent's latest.
func (c *call) chargeToRefund() (*Charge, *Error) {
	p := c.params
	id, intent := p.text("charge"), p.text("payment_intent")
	param := "charge"
	if id == "" && intent == "" {
		return nil, errParam("parameter_missing", "", "One of the following params should be provided for this request: payment_intent or charge.")
	}
	if id == "" {
		pi, ok := c.w.paymentIntents.get(intent)
		if !ok {
			return nil, c.missing(http.StatusBadRequest, "payment_intent", intent, "payment_intent")
		}
		id, param = string(pi.LatestCharge), "payment_intent"
		if id == "" {
			return nil, errState("", param, "This PaymentIntent (%s) does not have a successful charge to refund.", intent)
		}
	}
	ch, ok := c.w.charges.get(id)
	if !ok {
		return nil, c.missing(http.StatusBadRequest, "charge", id, param)
	}
	if intent != "" && string(ch.PaymentIntent) != intent {
		return nil, errParam("", "payment_intent", "The charge does not belong to this payment intent.")
	}
	return ch, nil
}

func retrieveRefund(c *call) (any, *Error) { return retrieve(c, c.w.refunds, "refund", "refund") }

func updateRefund(c *call) (any, *Error) {
	re, err := byPath(c, c.w.refunds, "refund", "refund")
	if err != nil {
		return nil, err
	}
	metadata := cloneMetadata(re.Metadata)
	c.params.metadata(metadata)
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	before := *re
	re.Metadata = metadata
	save(c.tx, c.w.refunds, re)
	c.refundChanged(re, before)
	return re, nil
}

func listRefunds(c *call) (any, *Error) {
	return listBy(c, c.w.refunds, []filter[*Refund]{
		{"charge", refundCharge, c.params.text("charge")},
		{"payment_intent", func(re *Refund) string { return string(re.PaymentIntent) }, c.params.text("payment_intent")},
	}, nil)
}

func refundCharge(re *Refund) string { return re.Charge }

// refundsOf is the list inside a charge that a caller may ask to expand.
func (w *world) refundsOf(charge string) *listPage {
	page := &listPage{Object: "list", Data: []object{}, URL: "/v1/charges/" + charge + "/refunds"}
	for _, re := range slices.Backward(w.refunds.by("charge", refundCharge, charge)) {
		page.Data = append(page.Data, re)
	}
	return page
}
