package stripesim

import (
	"maps"
	"net/http"
	"time"
)

// Dispute is Stripe's dispute: the customer's bank took the money back.
type Dispute struct {
	Header
	Amount              int64                 `json:"amount"` // minor units
	BalanceTransactions []*BalanceTransaction `json:"balance_transactions"`
	Charge              string                `json:"charge"`
	Currency            string                `json:"currency"`
	Evidence            map[string]any        `json:"evidence"`
	EvidenceDetails     evidenceDetails       `json:"evidence_details"`
	IsChargeRefundable  bool                  `json:"is_charge_refundable"`
	Livemode            bool                  `json:"livemode"`
	Metadata            map[string]string     `json:"metadata"`
	NetworkReasonCode   NullString            `json:"network_reason_code"`
	PaymentIntent       NullString            `json:"payment_intent"`
	PaymentDetails      any                   `json:"payment_method_details"`
	Reason              string                `json:"reason"`
	Status              string                `json:"status"`
}

type evidenceDetails struct {
	DueBy           int64 `json:"due_by"`
	HasEvidence     bool  `json:"has_evidence"`
	PastDue         bool  `json:"past_due"`
	SubmissionCount int64 `json:"submission_count"`
}

// The states of a dispute.
const (
	needsResponse = "needs_response"
	underReview   = "under_review"
	disputeWon    = "won"
	disputeLost   = "lost"
)

const (
	disputeFee     = 1500 // minor units
	evidenceWithin = 10 * 24 * time.Hour
)

// evidenceFields are what a shop can tell the bank.
var evidenceFields = []string{"access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
	"cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name", "customer_purchase_ip",
	"customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id", "product_description",
	"receipt", "refund_policy", "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
	"shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file",
	"uncategorized_text"}

// disputeReasons and the code that Visa would give.
var disputeReasons = map[string]string{"bank_cannot_process": "", "credit_not_processed": "13.6", "customer_initiated": "", "debit_not_authorized": "",
	"duplicate": "12.6", "fraudulent": "10.4", "general": "", "incorrect_account_details": "", "insufficient_funds": "",
	"product_not_received": "13.1", "product_unacceptable": "13.3", "subscription_canceled": "13.2", "unrecognized": "10.4"}

func (d *Dispute) refresh(now time.Time) {
	for _, b := range d.BalanceTransactions {
		b.refresh(now)
	}
}

func (d *Dispute) open() bool { return d.Status == needsResponse || d.Status == underReview }

// chargedBack reports whether a dispute holds the charge's money.
func (w *world) chargedBack(ch *Charge) bool {
	d, ok := w.disputes.get(string(ch.Dispute))
	return ok && d.Status != disputeWon
}

// dispute takes a charge's money, and a fee, off the balance.
func (t *tx) dispute(ch *Charge, reason string, amount int64) *Dispute {
	d := &Dispute{
		Header: t.header("dp_", "dispute", 24), Amount: amount, Charge: ch.ID, Currency: ch.Currency, Evidence: map[string]any{},
		EvidenceDetails: evidenceDetails{DueBy: t.now.Add(evidenceWithin).Unix()}, Livemode: t.w.live, Metadata: map[string]string{},
		NetworkReasonCode: NullString(disputeReasons[reason]), PaymentIntent: ch.PaymentIntent, Reason: reason, Status: needsResponse,
	}
	for _, f := range evidenceFields {
		d.Evidence[f] = nil
	}
	if c := ch.PaymentMethodDetails.Card; c != nil {
		d.PaymentDetails = map[string]any{"type": "card", "card": map[string]any{"brand": c.Brand, "network_reason_code": d.NetworkReasonCode}}
	}
	d.BalanceTransactions = []*BalanceTransaction{t.book(movement{kind: "adjustment", category: "dispute", source: d.ID, currency: d.Currency, amount: -amount,
		fixedFee: disputeFee, description: "Chargeback withdrawal for " + ch.ID})}
	before := *ch
	ch.Disputed, ch.Dispute = true, NullString(d.ID)
	save(t, t.w.charges, ch)
	save(t, t.w.disputes, d)
	t.emit("charge.dispute.created", d, nil)
	t.emit("charge.updated", ch, changed(before, *ch))
	t.emit("charge.dispute.funds_withdrawn", d, nil)
	return d
}

// endDispute is the bank's decision; who wins gets the money and the fee back. One that is
// won for a part is lost, and that part comes back.
func (t *tx) endDispute(d *Dispute, won bool, putBack int64) {
	before := *d
	d.Status = disputeLost
	fee := int64(0)
	if won {
		d.Status, putBack, fee = disputeWon, d.Amount, -disputeFee
	}
	if putBack > 0 {
		d.BalanceTransactions = append(d.BalanceTransactions, t.book(movement{kind: "adjustment", category: "dispute_reversal", source: d.ID,
			currency: d.Currency, amount: putBack, fixedFee: fee, description: "Chargeback reversal for " + d.Charge}))
	}
	save(t, t.w.disputes, d)
	if putBack > 0 {
		t.emit("charge.dispute.funds_reinstated", d, nil)
	}
	t.emit("charge.dispute.closed", d, changed(before, *d))
}

func retrieveDispute(c *call) (any, *Error) { return retrieve(c, c.w.disputes, "dispute", "dispute") }

func listDisputes(c *call) (any, *Error) {
	return listBy(c, c.w.disputes, []filter[*Dispute]{
		{"charge", func(d *Dispute) string { return d.Charge }, c.params.text("charge")},
		{"payment_intent", func(d *Dispute) string { return string(d.PaymentIntent) }, c.params.text("payment_intent")},
	}, nil)
}

// updateDispute takes evidence; submitting it leaves the decision to the bank.
func updateDispute(c *call) (any, *Error) {
	d, err := byPath(c, c.w.disputes, "dispute", "dispute")
	if err != nil {
		return nil, err
	}
	next := *d
	next.Metadata, next.Evidence = cloneMetadata(d.Metadata), maps.Clone(d.Evidence)
	p := c.params
	p.metadata(next.Metadata)
	for field, text := range p.sub("evidence").tree {
		if _, known := next.Evidence[field]; !known {
			p.fail("parameter_unknown", "evidence["+field+"]", "Received unknown parameter: evidence[%s]", field)
		}
		next.Evidence[field] = text
		next.EvidenceDetails.HasEvidence = true
	}
	if p.boolean("submit") {
		next.Status = underReview
		next.EvidenceDetails.SubmissionCount++
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	if !d.open() {
		return nil, errState("", "", "This dispute is already closed.")
	}
	before := *d
	*d = next
	save(c.tx, c.w.disputes, d)
	c.emit("charge.dispute.updated", d, changed(before, next))
	return d, nil
}

// closeDispute gives up: the bank keeps the money.
func closeDispute(c *call) (any, *Error) {
	d, err := byPath(c, c.w.disputes, "dispute", "dispute")
	if err == nil {
		err = c.params.finish()
	}
	if err == nil && !d.open() {
		err = errState("", "", "This dispute is already closed.")
	}
	if err != nil {
		return nil, err
	}
	c.endDispute(d, false, 0)
	return d, nil
}

func (s *Server) controlDispute(w http.ResponseWriter, r *http.Request) {
	in := struct {
		Reason string `json:"reason"`
		Amount int64  `json:"amount"` // 0: all that was captured
	}{Reason: "fraudulent"}
	if r.ContentLength != 0 && !read(w, r, &in) {
		return
	}
	if _, known := disputeReasons[in.Reason]; !known || in.Amount < 0 {
		refuse(w, http.StatusBadRequest, "unknown reason, or a negative amount")
		return
	}
	s.change(w, func() (*tx, object, string) {
		t, ch := s.findCharge(r.PathValue("id"))
		switch {
		case ch == nil:
			return nil, nil, ""
		case !ch.Paid || ch.Disputed:
			return nil, nil, "the charge is not paid, or disputed already"
		case in.Amount > ch.Amount:
			return nil, nil, "the charge is smaller"
		case in.Amount == 0:
			in.Amount = ch.Amount
		}
		return t, t.dispute(ch, in.Reason, in.Amount), ""
	})
}

func (s *Server) controlCloseDispute(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Outcome string `json:"outcome"`
		PutBack int64  `json:"put_back"` // of one that is lost: it was won for that part
	}
	if !read(w, r, &in) {
		return
	}
	if in.Outcome != disputeWon && in.Outcome != disputeLost {
		refuse(w, http.StatusBadRequest, "outcome must be won or lost")
		return
	}
	if in.PutBack < 0 || in.PutBack > 0 && in.Outcome == disputeWon {
		refuse(w, http.StatusBadRequest, "put_back must be a part of what is lost")
		return
	}
	s.change(w, func() (*tx, object, string) {
		for _, mode := range s.worlds {
			d, ok := mode.disputes.get(r.PathValue("id"))
			if !ok {
				continue
			}
			if !d.open() {
				return nil, nil, "the dispute is " + d.Status
			}
			if in.PutBack >= d.Amount {
				return nil, nil, "put_back is not less than the dispute"
			}
			t := s.newTx(mode)
			t.endDispute(d, in.Outcome == disputeWon, in.PutBack)
			return t, d, ""
		}
		return nil, nil, ""
	})
}

// findCharge looks in both modes. The mutex is held.
func (s *Server) findCharge(id string) (*tx, *Charge) {
	for _, w := range s.worlds {
		if ch, ok := w.charges.get(id); ok {
			return s.newTx(w), ch
		}
	}
	return nil, nil
}
