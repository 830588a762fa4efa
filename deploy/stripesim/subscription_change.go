package stripesim

func updateSubscription(c *call) (any, *Error) {
	sub, err := byPath(c, c.w.subscriptions, "subscription", "id")
	if err != nil {
		return nil, err
	}
	next := *sub
	next.Metadata = cloneMetadata(sub.Metadata)
	if err := c.readSubscription(&next); err != nil {
		return nil, err
	}
	p := c.params
	if p.has("pause_collection") {
		next.PauseCollection = nil
		if pause := p.sub("pause_collection"); len(pause.tree) > 0 {
			pause.required("behavior")
			next.PauseCollection = &pauseCollection{Behavior: pause.oneOf("behavior", "keep_as_draft", "mark_uncollectible", "void")}
			if at := pause.integer("resumes_at"); at > 0 {
				next.PauseCollection.ResumesAt = &at
			}
			p.adopt("pause_collection", pause)
		}
	}
	if p.has("items") {
		if err := c.changeItems(&next); err != nil {
			return nil, err
		}
	}
	p.ignore("proration_behavior", "payment_behavior", "off_session", "cancellation_details")
	if err := p.finish(); err != nil {
		return nil, err
	}
	if sub.ended() {
		return nil, errState("", "", "A canceled subscription can only update its cancellation_details and metadata.")
	}
	c.keepInvented()
	c.turn(sub, func() { *sub = next })
	c.at(sub.CurrentPeriodEnd, "cycle", sub.ID)
	c.unschedule("cancel", sub.ID)
	c.unschedule("resume", sub.ID)
	if sub.CancelAt != nil && !sub.CancelAtPeriodEnd {
		c.at(*sub.CancelAt, "cancel", sub.ID)
	}
	if sub.PauseCollection != nil && sub.PauseCollection.ResumesAt != nil {
		c.at(*sub.PauseCollection.ResumesAt, "resume", sub.ID)
	}
	if sub.CurrentPeriodEnd <= c.now.Unix() { // the trial ends now
		c.unschedule("cycle", sub.ID)
		c.cycle(sub.ID)
	}
	return sub, nil
}

// changeItems puts other prices or quantities in place; the next invoice has
// them, and nothing is prorated.
func (c *call) changeItems(sub *Subscription) *Error {
	old := sub.Items.Data
	items := *sub.Items
	items.Data = nil
	read, err := c.readItems("items")
	if err != nil {
		return err
	}
	for i, it := range read {
		item := &subscriptionItem{}
		*item = *old[min(i, len(old)-1)]
		if it.price.Recurring == nil {
			return errParam("", "items", "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.")
		}
		item.Price, item.Plan, item.Quantity = it.price, it.price.plan(), it.quantity
		items.Data = append(items.Data, item)
	}
	sub.Items = &items
	sub.Plan, sub.Quantity = items.Data[0].Plan, items.Data[0].Quantity
	return nil
}

func cancelSubscription(c *call) (any, *Error) {
	sub, err := byPath(c, c.w.subscriptions, "subscription", "id")
	if err != nil {
		return nil, err
	}
	p := c.params
	if p.has("cancellation_details") {
		d := p.sub("cancellation_details")
		d.setText("comment", &sub.CancellationDetails.Comment)
		d.setText("feedback", &sub.CancellationDetails.Feedback)
	}
	p.ignore("invoice_now", "prorate")
	if err := p.finish(); err != nil {
		return nil, err
	}
	if sub.ended() {
		return nil, errMissing(404, "subscription", sub.ID, "id", "")
	}
	c.endSubscription(sub, "cancellation_requested")
	return sub, nil
}

// resumeSubscription bills a paused subscription anew, from now.
func resumeSubscription(c *call) (any, *Error) {
	sub, err := byPath(c, c.w.subscriptions, "subscription", "id")
	c.params.ignore("billing_cycle_anchor", "proration_behavior")
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	if sub.Status != paused {
		return nil, errState("", "", "You can only resume a subscription with status paused. This one is %s.", sub.Status)
	}
	sub.BillingCycleAnchor = c.now.Unix()
	c.turn(sub, func() { sub.Status = active })
	c.emit("customer.subscription.resumed", sub, nil)
	inv := c.bill(sub, "subscription_update", c.now.Unix())
	c.unschedule("finalize", inv.ID)
	c.finalizeAndPay(inv.ID)
	return sub, nil
}
