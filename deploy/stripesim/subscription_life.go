package stripesim

import "time"

// subscribe starts a subscription and bills its first period. deferred leaves
// the payment to the browser, by the payment intent of the first invoice.
func (t *tx) subscribe(sub *Subscription, deferred bool, how confirmation) {
	save(t, t.w.subscriptions, sub)
	inv := t.newInvoice(sub, "subscription_create", sub.CurrentPeriodStart, sub.CurrentPeriodEnd)
	if sub.Status == trialing {
		inv.trial(*sub.TrialEnd)
	}
	sub.LatestInvoice = NullString(inv.ID)
	t.at(sub.CurrentPeriodEnd, "cycle", sub.ID)
	if sub.CancelAt != nil {
		t.at(*sub.CancelAt, "cancel", sub.ID)
	}
	if cus, ok := t.w.customers.get(string(sub.Customer)); ok && cus.Currency == "" {
		cus.Currency = NullString(sub.Currency)
		save(t, t.w.customers, cus)
	}
	t.emit("customer.subscription.created", sub, nil)
	t.emit("invoice.created", inv, nil)
	t.finalize(inv)
	if sub.Status == incomplete {
		t.after(incompleteFor, "incomplete", sub.ID)
	}
	if inv.Status == "open" && !deferred {
		t.payInvoice(inv, how)
	}
}

// turn changes a subscription's state and tells of it.
func (t *tx) turn(sub *Subscription, change func()) {
	before := *sub
	change()
	save(t, t.w.subscriptions, sub)
	t.emit("customer.subscription.updated", sub, changed(before, *sub))
}

// expireIncomplete gives up a subscription whose first invoice nobody paid.
func (t *tx) expireIncomplete(id string) {
	sub, ok := t.w.subscriptions.get(id)
	if !ok || sub.Status != incomplete {
		return
	}
	t.unschedule("cycle", id)
	if inv, ok := t.w.invoices.get(string(sub.LatestInvoice)); ok && inv.Status == "open" {
		t.void(inv)
	}
	now := t.now.Unix()
	t.turn(sub, func() { sub.Status, sub.EndedAt = incompleteExpired, &now })
}

// cycle is the end of a period, or of a trial: the next one begins with a draft
// invoice, which is finalized and charged an hour later.
func (t *tx) cycle(id string) {
	sub, ok := t.w.subscriptions.get(id)
	if !ok || sub.ended() || sub.Status == incomplete || sub.Status == paused || sub.CurrentPeriodEnd > t.now.Unix() {
		return
	}
	if sub.CancelAtPeriodEnd {
		t.endSubscription(sub, "")
		return
	}
	if sub.Status == trialing && t.methodOf(sub) == nil {
		switch sub.TrialSettings.EndBehavior.MissingPaymentMethod {
		case "cancel":
			t.endSubscription(sub, "")
			return
		case "pause":
			t.turn(sub, func() { sub.Status = paused })
			t.emit("customer.subscription.paused", sub, nil)
			return
		}
	}
	t.bill(sub, "subscription_cycle", sub.CurrentPeriodEnd)
}

// bill begins a period at start, with its invoice.
func (t *tx) bill(sub *Subscription, reason string, start int64) *Invoice {
	end := sub.recurring().next(sub.BillingCycleAnchor, start)
	var inv *Invoice
	t.turn(sub, func() {
		inv = t.newInvoice(sub, reason, start, end)
		sub.CurrentPeriodStart, sub.CurrentPeriodEnd, sub.LatestInvoice = start, end, NullString(inv.ID)
		if sub.Status == trialing {
			sub.Status = active
		}
	})
	inv.AutoAdvance = sub.Status != unpaid && (sub.PauseCollection == nil || sub.PauseCollection.Behavior != "keep_as_draft")
	t.emit("invoice.created", inv, nil)
	if inv.AutoAdvance {
		t.after(draftFor, "finalize", inv.ID)
	}
	t.at(end, "cycle", sub.ID)
	return inv
}

// draftFor is how long an automatic invoice can still be changed.
const draftFor = time.Hour

// endSubscription ends it now.
func (t *tx) endSubscription(sub *Subscription, reason NullString) {
	now := t.now.Unix()
	for _, action := range []string{"cycle", "cancel", "incomplete", "resume"} {
		t.unschedule(action, sub.ID)
	}
	for _, inv := range t.w.invoices.by("subscription", invoiceSubscription, sub.ID) {
		if inv.Status == "open" || inv.Status == "draft" {
			t.unschedule("retry", inv.ID)
			t.unschedule("finalize", inv.ID)
			inv.AutoAdvance, inv.NextPaymentAttempt = false, nil
			save(t, t.w.invoices, inv)
		}
	}
	sub.Status, sub.EndedAt = canceled, &now
	if sub.CanceledAt == nil {
		sub.CanceledAt = &now
	}
	if reason != "" {
		sub.CancellationDetails.Reason = reason
	}
	save(t, t.w.subscriptions, sub)
	t.emit("customer.subscription.deleted", sub, nil)
}

// cancelLater is the moment that cancel_at named.
func (t *tx) cancelLater(id string) {
	if sub, ok := t.w.subscriptions.get(id); ok && !sub.ended() && sub.CancelAt != nil && *sub.CancelAt <= t.now.Unix() {
		t.endSubscription(sub, "")
	}
}

// resumeCollection is the moment that pause_collection[resumes_at] named.
func (t *tx) resumeCollection(id string) {
	if sub, ok := t.w.subscriptions.get(id); ok && !sub.ended() && sub.PauseCollection != nil {
		t.turn(sub, func() { sub.PauseCollection = nil })
	}
}

func (t *tx) cancelAtPeriodEnd(sub *Subscription, wanted bool) {
	now := t.now.Unix()
	end := sub.CurrentPeriodEnd
	sub.CancelAtPeriodEnd = wanted
	if wanted {
		sub.CancelAt, sub.CanceledAt, sub.CancellationDetails.Reason = &end, &now, "cancellation_requested"
	} else {
		sub.CancelAt, sub.CanceledAt, sub.CancellationDetails.Reason = nil, nil, ""
	}
}
