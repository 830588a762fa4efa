package stripesim

import "net/http"

// payInvoiceNow is POST /v1/invoices/{id}/pay.
func payInvoiceNow(c *call) (any, *Error) {
	inv, err := byPath(c, c.w.invoices, "invoice", "invoice")
	if err != nil {
		return nil, err
	}
	pm, err := c.paymentMethodParam()
	if err != nil {
		return nil, err
	}
	outside := c.params.boolean("paid_out_of_band")
	c.params.ignore("off_session", "forgive", "source")
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	switch {
	case inv.Status == "paid":
		return nil, errState("invoice_already_paid", "", "Invoice is already paid")
	case inv.Status == "draft":
		c.unschedule("finalize", inv.ID)
		c.finalize(inv)
	case inv.Status != "open":
		return nil, errState("invoice_not_editable", "", "This invoice can no longer be paid: it is %s.", inv.Status)
	}
	if outside {
		inv.PaidOutOfBand = true
		c.invoicePaid(inv)
		return inv, nil
	}
	if inv.Status != "open" {
		return inv, nil
	}
	if pi, _ := c.w.paymentIntents.get(string(inv.PaymentIntent)); pi.Status == processing {
		return nil, unexpectedState(pi, "You cannot pay this invoice because its PaymentIntent has a status of processing.")
	}
	if failed := c.payInvoice(inv, confirmation{billing: true, method: pm}); failed != nil {
		return nil, failed
	}
	if pi, _ := c.w.paymentIntents.get(string(inv.PaymentIntent)); pi.Status == requiresAction {
		return nil, &Error{status: http.StatusPaymentRequired, Type: typeCard, Code: "invoice_payment_intent_requires_action", PaymentIntent: pi,
			Message: "This payment requires additional user action before it can be completed successfully. Payment can be completed using the PaymentIntent associated with the invoice."}
	}
	return inv, nil
}

func finalizeInvoice(c *call) (any, *Error) {
	inv, err := byPath(c, c.w.invoices, "invoice", "invoice")
	c.params.ignore("auto_advance")
	if err == nil {
		err = c.params.finish()
	}
	if err == nil && inv.Status != "draft" {
		err = errState("invoice_not_editable", "", "This invoice is already finalized, you can't re-finalize a non-draft invoice.")
	}
	if err != nil {
		return nil, err
	}
	c.finalize(inv)
	return inv, nil
}

func voidInvoice(c *call) (any, *Error) {
	inv, err := byPath(c, c.w.invoices, "invoice", "invoice")
	if err == nil {
		err = c.params.finish()
	}
	if err == nil && inv.Status != "open" && inv.Status != "uncollectible" {
		err = errState("invoice_not_editable", "", "You can only void invoices that are open or uncollectible.")
	}
	if err == nil {
		if pi, ok := c.w.paymentIntents.get(string(inv.PaymentIntent)); ok && pi.Status == processing {
			err = errState("invoice_not_editable", "", "You cannot void this invoice while its payment is processing.")
		}
	}
	if err != nil {
		return nil, err
	}
	c.void(inv)
	return inv, nil
}
