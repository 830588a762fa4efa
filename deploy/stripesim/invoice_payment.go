package stripesim

// invoicePayment says since basil which payment paid an invoice. The API that we
// render does not have it; endpoints of a newer version are told.
type invoicePayment struct {
	Header
	AmountPaid        int64                 `json:"amount_paid"` // minor units
	AmountRequested   int64                 `json:"amount_requested"`
	Currency          string                `json:"currency"`
	Invoice           string                `json:"invoice"`
	IsDefault         bool                  `json:"is_default"`
	Livemode          bool                  `json:"livemode"`
	Payment           map[string]NullString `json:"payment"`
	Status            string                `json:"status"`
	StatusTransitions map[string]*int64     `json:"status_transitions"`
}

func (t *tx) tellPayment(inv *Invoice) {
	if t.s.hooks.APIVersion < versionParents || inv.PaymentIntent == "" || inv.PaidOutOfBand {
		return
	}
	t.emit("invoice_payment.paid", &invoicePayment{
		Header: t.header("inpay_", "invoice_payment", 24), AmountPaid: inv.AmountPaid, AmountRequested: inv.AmountDue, Currency: inv.Currency, Invoice: inv.ID,
		IsDefault: true, Livemode: t.w.live, Payment: map[string]NullString{"payment_intent": inv.PaymentIntent, "type": "payment_intent"}, Status: "paid",
		StatusTransitions: map[string]*int64{"canceled_at": nil, "paid_at": inv.StatusTransitions.PaidAt},
	}, nil)
}
