package stripesim

import (
	"slices"
	"time"
)

const (
	sessionLifeMin = 30 * time.Minute
	sessionLifeMax = 24 * time.Hour
)

func createSession(c *call) (any, *Error) {
	p := c.params
	p.required("mode", "success_url", "line_items")
	mode := p.oneOf("mode", modePayment, modeSubscribe)
	cs := &CheckoutSession{
		Header:       c.header("cs_"+map[bool]string{true: "live_", false: "test_"}[c.w.live]+"a1", "checkout.session", 56),
		AutomaticTax: map[string]any{"enabled": false, "liability": nil, "status": nil}, CustomFields: []any{},
		CustomText: map[string]any{"after_submit": nil, "shipping_address": nil, "submit": nil, "terms_of_service_acceptance": nil},
		ExpiresAt:  c.now.Add(sessionLifeMax).Unix(), Livemode: c.w.live, Metadata: map[string]string{}, Mode: mode, MethodCollection: "always",
		PaymentMethodOptions: map[string]any{}, PaymentMethodTypes: []string{"card", "us_bank_account"}, PaymentStatus: paymentUnpaid,
		PhoneNumberCollection: map[string]any{"enabled": false}, ShippingOptions: []any{}, Status: sessionOpen,
		TotalDetails: map[string]int64{"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, UIMode: "hosted",
	}
	if mode == modePayment {
		cs.MethodCollection = "if_required"
		cs.CustomerCreation = "if_required"
		cs.InvoiceCreation = map[string]any{"enabled": false, "invoice_data": map[string]any{"account_tax_ids": nil, "custom_fields": nil,
			"description": nil, "footer": nil, "issuer": nil, "metadata": map[string]any{}, "rendering_options": nil}}
	}
	cs.URL = NullString(c.s.page("checkout/" + cs.ID))
	if err := c.readSession(cs); err != nil {
		return nil, err
	}
	items, err := c.readItems("line_items")
	if err != nil {
		return nil, err
	}
	cs.addItems(c.tx, p, items)
	if err := p.finish(); err != nil {
		return nil, err
	}
	c.keepInvented()
	save(c.tx, c.w.sessions, cs)
	c.at(cs.ExpiresAt, "session", cs.ID)
	return cs, nil
}

func (c *call) readSession(cs *CheckoutSession) *Error {
	p := c.params
	p.setText("success_url", &cs.SuccessURL)
	p.setText("cancel_url", &cs.CancelURL)
	p.setText("client_reference_id", &cs.ClientReferenceID)
	if len(cs.ClientReferenceID) > 200 {
		p.fail("", "client_reference_id", "Invalid string: must be at most 200 characters.")
	}
	p.setText("customer_email", &cs.CustomerEmail)
	p.setText("locale", &cs.Locale)
	p.setText("submit_type", &cs.SubmitType)
	p.metadata(cs.Metadata)
	p.oneOf("ui_mode", "hosted")
	if made := p.oneOf("customer_creation", "always", "if_required"); made != "" {
		cs.CustomerCreation = NullString(made)
	}
	p.ignore("currency", "billing_address_collection", "automatic_tax", "phone_number_collection", "payment_method_collection",
		"payment_method_options", "consent_collection", "custom_text", "tax_id_collection", "customer_update", "saved_payment_method_options")
	if p.has("allow_promotion_codes") {
		allowed := p.boolean("allow_promotion_codes")
		cs.AllowPromotionCodes = &allowed
	}
	cus, err := c.customerParam()
	if err != nil {
		return err
	}
	if cus != "" {
		if cs.CustomerEmail != "" {
			p.fail("parameters_exclusive", "customer_email", "You may only specify one of these parameters: customer, customer_email.")
		}
		cs.Customer, cs.CustomerCreation = cus, ""
	}
	if p.has("payment_method_types") {
		cs.PaymentMethodTypes = p.texts("payment_method_types")
		if len(cs.PaymentMethodTypes) == 0 || slices.ContainsFunc(cs.PaymentMethodTypes, func(t string) bool { return t != "card" && t != "us_bank_account" }) {
			p.fail("", "payment_method_types", "The simulator takes only card and us_bank_account.")
		}
	}
	if p.has("expires_at") {
		cs.ExpiresAt = p.integer("expires_at")
		if life := time.Duration(cs.ExpiresAt-c.now.Unix()) * time.Second; life < sessionLifeMin-time.Minute || life > sessionLifeMax+time.Minute {
			p.fail("", "expires_at", "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.")
		}
	}
	c.readSessionPlan(cs)
	return nil
}

// readSessionPlan reads what the session's payment intent or subscription gets.
func (c *call) readSessionPlan(cs *CheckoutSession) {
	p, plan := c.params, &cs.hidden
	plan.Metadata = map[string]string{}
	for name, mode := range map[string]string{"payment_intent_data": modePayment, "subscription_data": modeSubscribe} {
		if !p.has(name) {
			continue
		}
		if cs.Mode != mode {
			p.fail("", name, "You can not pass `%s` in `%s` mode.", name, cs.Mode)
			return
		}
		data := p.sub(name)
		data.metadata(plan.Metadata)
		data.setText("description", &plan.Description)
		if mode == modePayment {
			data.setText("receipt_email", &plan.ReceiptEmail)
			plan.FutureUsage = NullString(data.oneOf("setup_future_usage", "on_session", "off_session"))
			data.ignore("statement_descriptor", "statement_descriptor_suffix", "transfer_group")
			data.oneOf("capture_method", "automatic", "automatic_async")
		} else {
			plan.TrialPeriodDays, plan.TrialEnd = data.integer("trial_period_days"), data.integer("trial_end")
			data.ignore("trial_settings", "proration_behavior")
		}
		p.adopt(name, data)
	}
}

func (cs *CheckoutSession) addItems(t *tx, p *params, items []pricedItem) {
	recurs := false
	for _, it := range items {
		recurs = recurs || it.price.Recurring != nil
		if cs.Mode == modePayment && it.price.Recurring != nil {
			p.fail("", "mode", "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.")
		}
		if cs.Currency != "" && cs.Currency != it.price.Currency {
			p.fail("", "line_items", "All line items must have the same currency.")
		}
		cs.Currency = it.price.Currency
		li := &lineItem{Header: t.header("li_", "item", 24), AmountSubtotal: it.price.UnitAmount * it.quantity, AmountTotal: it.price.UnitAmount * it.quantity,
			Currency: it.price.Currency, Description: it.name, Price: it.price, Quantity: it.quantity}
		cs.hidden.Items = append(cs.hidden.Items, li)
		cs.AmountSubtotal += li.AmountSubtotal
		cs.AmountTotal += li.AmountTotal
	}
	if len(items) == 0 {
		p.fail("parameter_missing", "line_items", "Missing required param: line_items.")
	}
	if cs.Mode == modeSubscribe {
		if !recurs {
			p.fail("", "line_items", "You must provide at least one recurring price in `subscription` mode when using prices.")
		}
		if cs.hidden.TrialPeriodDays > 0 || cs.hidden.TrialEnd > 0 {
			cs.AmountSubtotal, cs.AmountTotal = 0, 0
		}
	}
}

func retrieveSession(c *call) (any, *Error) {
	return retrieve(c, c.w.sessions, "checkout.session", "session")
}

func listSessions(c *call) (any, *Error) {
	p := c.params
	status := p.text("status")
	email := ""
	if p.has("customer_details") {
		email = p.sub("customer_details").text("email")
	}
	return listBy(c, c.w.sessions, []filter[*CheckoutSession]{
		{"payment_intent", sessionIntent, p.text("payment_intent")},
		{"subscription", func(cs *CheckoutSession) string { return string(cs.Subscription) }, p.text("subscription")},
		{"customer", func(cs *CheckoutSession) string { return string(cs.Customer) }, p.text("customer")},
	}, func(cs *CheckoutSession) bool {
		return (status == "" || cs.Status == status) && (email == "" || cs.CustomerDetails != nil && string(cs.CustomerDetails.Email) == email)
	})
}

func sessionIntent(cs *CheckoutSession) string  { return string(cs.PaymentIntent) }
func sessionInvoice(cs *CheckoutSession) string { return string(cs.Invoice) }

func (w *world) lineItemsOf(session string) *listPage {
	page := &listPage{Object: "list", Data: []object{}, URL: "/v1/checkout/sessions/" + session + "/line_items"}
	if cs, ok := w.sessions.get(session); ok {
		for _, li := range cs.hidden.Items {
			page.Data = append(page.Data, li)
		}
	}
	return page
}

func listLineItems(c *call) (any, *Error) {
	cs, err := byPath(c, c.w.sessions, "checkout.session", "session")
	c.params.ignore("limit", "starting_after", "ending_before")
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	return c.w.lineItemsOf(cs.ID), nil
}

func expireSessionNow(c *call) (any, *Error) {
	cs, err := byPath(c, c.w.sessions, "checkout.session", "session")
	if err == nil {
		err = c.params.finish()
	}
	if err == nil && cs.Status != sessionOpen {
		err = errState("", "", "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of %s.", cs.Status)
	}
	if err != nil {
		return nil, err
	}
	c.expireSession(cs.ID)
	return cs, nil
}
