package stripesim

import (
	"fmt"
	"slices"
)

// finalize turns a draft into a bill, with the payment intent that pays it.
func (t *tx) finalize(inv *Invoice) {
	now := t.now.Unix()
	zero := int64(0)
	inv.Status, inv.StatusTransitions.FinalizedAt, inv.EffectiveAt, inv.EndingBalance = "open", &now, &now, &zero
	if cus, ok := t.w.customers.get(string(inv.Customer)); ok {
		inv.Number = NullString(fmt.Sprintf("%s-%04d", cus.InvoicePrefix, cus.NextInvoiceSequence))
		cus.NextInvoiceSequence++
		t.credit(inv, cus)
		save(t, t.w.customers, cus)
	}
	inv.HostedInvoiceURL = NullString(t.s.page("invoices/" + inv.ID))
	inv.InvoicePDF = NullString("https://pay.stripe.com/invoice/" + inv.ID + "/pdf")
	if inv.AmountDue > 0 {
		pi := t.newIntent(inv.AmountDue, inv.Currency, inv.Customer)
		pi.Invoice, pi.SetupFutureUsage = NullString(inv.ID), "off_session"
		pi.Description = NullString(map[bool]string{true: "Subscription creation", false: "Subscription update"}[inv.BillingReason == "subscription_create"])
		inv.PaymentIntent = NullString(pi.ID)
		save(t, t.w.paymentIntents, pi)
		t.emit("payment_intent.created", pi, nil)
	}
	save(t, t.w.invoices, inv)
	t.emit("invoice.finalized", inv, nil)
	if inv.AmountDue == 0 {
		t.invoicePaid(inv)
	}
}

// finalizeAndPay is what comes an hour after a renewal's draft.
func (t *tx) finalizeAndPay(id string) {
	inv, ok := t.w.invoices.get(id)
	if !ok || inv.Status != "draft" {
		return
	}
	t.finalize(inv)
	sub, _ := t.w.subscriptions.get(string(inv.Subscription))
	if pause := sub.PauseCollection; pause != nil && inv.Status == "open" {
		switch pause.Behavior {
		case "void":
			t.void(inv)
		case "mark_uncollectible":
			now := t.now.Unix()
			inv.Status, inv.StatusTransitions.MarkedUncollectibleAt = "uncollectible", &now
			save(t, t.w.invoices, inv)
			t.emit("invoice.marked_uncollectible", inv, nil)
		}
		return
	}
	if inv.Status == "open" {
		t.payInvoice(inv, confirmation{billing: true, automatic: true})
	}
}

// methodOf is what a subscription is charged to, nil when there is nothing.
func (t *tx) methodOf(sub *Subscription) *PaymentMethod {
	cus, _ := t.w.customers.get(string(sub.Customer))
	for _, id := range []NullString{sub.DefaultPaymentMethod, cus.InvoiceSettings.DefaultPaymentMethod} {
		if pm, ok := t.w.paymentMethods.get(string(id)); ok && pm.Customer == sub.Customer {
			return pm
		}
	}
	return nil
}

// payInvoice tries to collect an open invoice. What comes of it reaches the
// invoice and its subscription through follow.
func (t *tx) payInvoice(inv *Invoice, how confirmation) *Error {
	sub, _ := t.w.subscriptions.get(string(inv.Subscription))
	pi, _ := t.w.paymentIntents.get(string(inv.PaymentIntent))
	pm := how.method
	if pm == nil {
		pm = t.methodOf(sub)
	}
	inv.AttemptCount++
	inv.Attempted = true
	inv.automatic = how.automatic
	defer func() { inv.automatic = false }()
	if pm == nil {
		t.invoiceFailed(inv, false)
		return errState("resource_missing", "", "Cannot charge a customer that has no active card.")
	}
	save(t, t.w.paymentMethods, pm)
	pi.PaymentMethod = NullString(pm.ID)
	_, err := t.confirm(pi, how)
	return err
}

// follow tells the invoice or the Checkout Session of a payment intent what
// became of it.
func (t *tx) follow(pi *PaymentIntent) {
	if inv, ok := t.w.invoices.get(string(pi.Invoice)); ok && inv.Status == "open" {
		switch pi.Status {
		case succeeded:
			inv.Charge = pi.LatestCharge
			t.invoicePaid(inv)
		case processing:
			inv.Attempted = true
			save(t, t.w.invoices, inv)
			t.revive(inv)
		case requiresPaymentMethod:
			inv.Charge = pi.LatestCharge
			t.invoiceFailed(inv, false)
		case requiresAction:
			t.invoiceFailed(inv, true)
		}
	}
	if cs := t.w.sessionOf(pi); cs != nil {
		t.sessionFollows(cs, pi)
	}
}

func (t *tx) invoicePaid(inv *Invoice) {
	now := t.now.Unix()
	t.unschedule("retry", inv.ID)
	inv.Status, inv.Paid, inv.Attempted, inv.AutoAdvance = "paid", true, true, false
	inv.AmountPaid, inv.AmountRemaining, inv.NextPaymentAttempt, inv.StatusTransitions.PaidAt = inv.AmountDue, 0, nil, &now
	if inv.AttemptCount == 0 && inv.AmountDue > 0 {
		inv.AttemptCount = 1 // the browser's
	}
	save(t, t.w.invoices, inv)
	t.emit("invoice.paid", inv, nil)
	t.emit("invoice.payment_succeeded", inv, nil)
	t.tellPayment(inv)
	if cus, ok := t.w.customers.get(string(inv.Customer)); ok && cus.Delinquent {
		cus.Delinquent = false
		save(t, t.w.customers, cus)
	}
	t.revive(inv)
}

// revive makes a subscription active whose latest invoice is being paid.
func (t *tx) revive(inv *Invoice) {
	sub, ok := t.w.subscriptions.get(string(inv.Subscription))
	if !ok || string(sub.LatestInvoice) != inv.ID || !slices.Contains([]string{incomplete, pastDue, unpaid}, sub.Status) {
		return
	}
	t.unschedule("incomplete", sub.ID)
	t.turn(sub, func() {
		sub.Status = active
		if pi, ok := t.w.paymentIntents.get(string(inv.PaymentIntent)); ok && sub.PaymentSettings.Save == "on_subscription" {
			sub.DefaultPaymentMethod = pi.PaymentMethod
		}
	})
}

// invoiceFailed follows an attempt that brought no money; action says that the
// customer may still authenticate it. Automatic attempts go on for a while, and
// then the subscription goes the way that the settings say.
func (t *tx) invoiceFailed(inv *Invoice, action bool) {
	sub, _ := t.w.subscriptions.get(string(inv.Subscription))
	first := sub.Status == incomplete
	exhausted := false
	if inv.automatic && !first {
		if waits := t.s.settings.RetryHours; inv.retries < len(waits) {
			at := t.now.Unix() + waits[inv.retries]*3600
			inv.NextPaymentAttempt = &at
			t.at(at, "retry", inv.ID)
		} else {
			inv.NextPaymentAttempt, exhausted = nil, true
		}
		inv.retries++
	}
	inv.Attempted = true
	save(t, t.w.invoices, inv)
	if action {
		t.emit("invoice.payment_action_required", inv, nil)
	}
	if !action || !first {
		t.emit("invoice.payment_failed", inv, nil)
	}
	if cus, ok := t.w.customers.get(string(inv.Customer)); ok && !first && !cus.Delinquent {
		cus.Delinquent = true
		save(t, t.w.customers, cus)
	}
	if sub.Status == active || sub.Status == trialing {
		t.turn(sub, func() { sub.Status = pastDue })
	}
	if exhausted && !sub.ended() {
		switch t.s.settings.AfterRetries {
		case "cancel":
			t.endSubscription(sub, "payment_failed")
		case "unpaid":
			t.turn(sub, func() { sub.Status = unpaid })
		}
	}
}

// retryInvoice is one of the days on which Stripe tries again.
func (t *tx) retryInvoice(id string) {
	if inv, ok := t.w.invoices.get(id); ok && inv.Status == "open" && inv.AutoAdvance {
		if pi, _ := t.w.paymentIntents.get(string(inv.PaymentIntent)); pi.Status != processing {
			t.payInvoice(inv, confirmation{billing: true, automatic: true})
		}
	}
}

func (t *tx) void(inv *Invoice) {
	now := t.now.Unix()
	t.unschedule("retry", inv.ID)
	inv.Status, inv.AutoAdvance, inv.NextPaymentAttempt, inv.StatusTransitions.VoidedAt = "void", false, nil, &now
	save(t, t.w.invoices, inv)
	if pi, ok := t.w.paymentIntents.get(string(inv.PaymentIntent)); ok && pi.Status != succeeded && pi.Status != canceled {
		t.cancelIntent(pi, "void_invoice")
	}
	t.emit("invoice.voided", inv, nil)
}
