package stripesim

import (
	"net/http"
	"time"
)

// Subscription is Stripe's subscription.
type Subscription struct {
	Header
	Application          any                `json:"application"`
	ApplicationFee       any                `json:"application_fee_percent"`
	AutomaticTax         map[string]any     `json:"automatic_tax"`
	BillingCycleAnchor   int64              `json:"billing_cycle_anchor"`
	AnchorConfig         any                `json:"billing_cycle_anchor_config"`
	BillingThresholds    any                `json:"billing_thresholds"`
	CancelAt             *int64             `json:"cancel_at"`
	CancelAtPeriodEnd    bool               `json:"cancel_at_period_end"`
	CanceledAt           *int64             `json:"canceled_at"`
	CancellationDetails  cancellation       `json:"cancellation_details"`
	CollectionMethod     string             `json:"collection_method"`
	Currency             string             `json:"currency"`
	CurrentPeriodEnd     int64              `json:"current_period_end"`
	CurrentPeriodStart   int64              `json:"current_period_start"`
	Customer             NullString         `json:"customer"`
	DaysUntilDue         *int64             `json:"days_until_due"`
	DefaultPaymentMethod NullString         `json:"default_payment_method"`
	DefaultSource        NullString         `json:"default_source"`
	DefaultTaxRates      []any              `json:"default_tax_rates"`
	Description          NullString         `json:"description"`
	Discount             *discount          `json:"discount"`
	Discounts            []any              `json:"discounts"`
	EndedAt              *int64             `json:"ended_at"`
	Items                *subscriptionItems `json:"items"`
	LatestInvoice        NullString         `json:"latest_invoice"`
	Livemode             bool               `json:"livemode"`
	Metadata             map[string]string  `json:"metadata"`
	NextPendingInvoice   any                `json:"next_pending_invoice_item_invoice"`
	OnBehalfOf           NullString         `json:"on_behalf_of"`
	PauseCollection      *pauseCollection   `json:"pause_collection"`
	PaymentSettings      paymentSettings    `json:"payment_settings"`
	PendingInterval      any                `json:"pending_invoice_item_interval"`
	PendingSetupIntent   NullString         `json:"pending_setup_intent"`
	PendingUpdate        any                `json:"pending_update"`
	Plan                 *plan              `json:"plan"`
	Quantity             int64              `json:"quantity"`
	Schedule             NullString         `json:"schedule"`
	StartDate            int64              `json:"start_date"`
	Status               string             `json:"status"`
	TestClock            NullString         `json:"test_clock"`
	TransferData         any                `json:"transfer_data"`
	TrialEnd             *int64             `json:"trial_end"`
	TrialSettings        trialSettings      `json:"trial_settings"`
	TrialStart           *int64             `json:"trial_start"`
}

type subscriptionItems struct {
	Object     string              `json:"object"`
	Data       []*subscriptionItem `json:"data"`
	HasMore    bool                `json:"has_more"`
	TotalCount int                 `json:"total_count"`
	URL        string              `json:"url"`
}

type subscriptionItem struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"`
	BillingThresholds any               `json:"billing_thresholds"`
	Created           int64             `json:"created"`
	Metadata          map[string]string `json:"metadata"`
	Plan              *plan             `json:"plan"`
	Price             *Price            `json:"price"`
	Quantity          int64             `json:"quantity"`
	Subscription      string            `json:"subscription"`
	TaxRates          []any             `json:"tax_rates"`
}

type cancellation struct {
	Comment  NullString `json:"comment"`
	Feedback NullString `json:"feedback"`
	Reason   NullString `json:"reason"`
}

type pauseCollection struct {
	Behavior  string `json:"behavior"`
	ResumesAt *int64 `json:"resumes_at"`
}

type paymentSettings struct {
	Options any        `json:"payment_method_options"`
	Types   []string   `json:"payment_method_types"`
	Save    NullString `json:"save_default_payment_method"`
}

type trialSettings struct {
	EndBehavior struct {
		MissingPaymentMethod string `json:"missing_payment_method"`
	} `json:"end_behavior"`
}

// The states of a subscription; canceled is another.
const (
	incomplete        = "incomplete"
	incompleteExpired = "incomplete_expired"
	trialing          = "trialing"
	active            = "active"
	pastDue           = "past_due"
	unpaid            = "unpaid"
	paused            = "paused"
)

// incompleteFor is how long a first invoice may stay unpaid.
const incompleteFor = 23 * time.Hour

// newSubscription is one of the given items, which begins now and ends its first
// period, or its trial, by its own calendar.
func (t *tx) newSubscription(customer NullString, items []pricedItem) *Subscription {
	sub := &Subscription{
		Header: t.header("sub_", "subscription", 24), AutomaticTax: map[string]any{"enabled": false, "liability": nil},
		BillingCycleAnchor: t.now.Unix(), CollectionMethod: "charge_automatically", CurrentPeriodStart: t.now.Unix(), Customer: customer,
		DefaultTaxRates: []any{}, Discounts: []any{}, Livemode: t.w.live, Metadata: map[string]string{}, StartDate: t.now.Unix(), Status: incomplete,
		PaymentSettings: paymentSettings{Save: "off"},
	}
	sub.TrialSettings.EndBehavior.MissingPaymentMethod = "create_invoice"
	sub.setItems(t, items)
	sub.CurrentPeriodEnd = sub.recurring().after(sub.BillingCycleAnchor, 1)
	return sub
}

func (sub *Subscription) setItems(t *tx, items []pricedItem) {
	sub.Items = &subscriptionItems{Object: "list", Data: []*subscriptionItem{}, TotalCount: len(items), URL: "/v1/subscription_items?subscription=" + sub.ID}
	for _, it := range items {
		sub.Items.Data = append(sub.Items.Data, &subscriptionItem{ID: newID("si_", 14), Object: "subscription_item", Created: t.now.Unix(),
			Metadata: it.metadata, Plan: it.price.plan(), Price: it.price, Quantity: it.quantity, Subscription: sub.ID, TaxRates: []any{}})
	}
	first := sub.Items.Data[0]
	sub.Currency, sub.Plan, sub.Quantity = first.Price.Currency, first.Plan, first.Quantity
}

func (sub *Subscription) recurring() *recurring { return sub.Items.Data[0].Price.Recurring }

// setTrial moves the first bill to the trial's end.
func (sub *Subscription) setTrial(start, end int64) {
	sub.TrialStart, sub.TrialEnd = &start, &end
	sub.BillingCycleAnchor, sub.CurrentPeriodEnd, sub.Status = end, end, trialing
}

func (sub *Subscription) ended() bool {
	return sub.Status == canceled || sub.Status == incompleteExpired
}

func createSubscription(c *call) (any, *Error) {
	p := c.params
	p.required("customer", "items")
	cus, err := c.customerParam()
	if err != nil {
		return nil, err
	}
	items, err := c.readItems("items")
	if err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, p.err
	}
	for i, it := range items {
		if it.price.Recurring == nil || it.price.Currency != items[0].price.Currency || it.price.Recurring.Interval != items[0].price.Recurring.Interval {
			p.fail("", "items", "The price at items[%d] is not recurring, or differs from the others in currency or interval.", i)
			return nil, p.err
		}
	}
	if len(items) == 0 {
		return nil, errParam("parameter_missing", "items", "Missing required param: items.")
	}
	sub := c.newSubscription(cus, items)
	if err := c.readSubscription(sub); err != nil {
		return nil, err
	}
	behavior := p.oneOf("payment_behavior", "allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")
	p.ignore("off_session", "proration_behavior", "automatic_tax")
	p.oneOf("collection_method", "charge_automatically")
	if days := p.integer("trial_period_days"); days > 0 {
		sub.setTrial(c.now.Unix(), c.now.Add(time.Duration(days)*24*time.Hour).Unix())
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	method := c.methodOf(sub)
	if method == nil && sub.Status != trialing && behavior != "default_incomplete" && sub.total() > 0 {
		return nil, errState("resource_missing", "", "This customer has no attached payment source or default payment method. Please consider adding a default payment method.")
	}
	if behavior == "error_if_incomplete" && method != nil && sub.Status != trialing {
		m := method.behaviour()
		switch {
		case m.asks(method):
			return nil, authenticationRequired.asError()
		case m.decline.code != "" && !m.async:
			return nil, m.decline.asError()
		}
	}
	c.keepInvented()
	c.subscribe(sub, behavior == "default_incomplete", confirmation{billing: true})
	return sub, nil
}

// readSubscription reads what both create and update accept.
func (c *call) readSubscription(sub *Subscription) *Error {
	p := c.params
	p.setText("description", &sub.Description)
	p.metadata(sub.Metadata)
	if p.has("default_payment_method") {
		id := p.text("default_payment_method")
		pm, ok := c.w.paymentMethods.get(id)
		if id != "" && !ok {
			return c.missing(http.StatusBadRequest, "PaymentMethod", id, "default_payment_method")
		}
		if id != "" && pm.Customer != sub.Customer {
			return errState("resource_missing", "default_payment_method", "The customer does not have a payment method with the ID %s. The payment method must be attached to the customer.", id)
		}
		sub.DefaultPaymentMethod = NullString(id)
	}
	if p.has("payment_settings") {
		settings := p.sub("payment_settings")
		if s := settings.oneOf("save_default_payment_method", "off", "on_subscription"); s != "" {
			sub.PaymentSettings.Save = NullString(s)
		}
		settings.ignore("payment_method_options", "payment_method_types")
		p.adopt("payment_settings", settings)
	}
	if p.has("trial_settings") {
		if m := p.sub("trial_settings").sub("end_behavior").oneOf("missing_payment_method", "create_invoice", "cancel", "pause"); m != "" {
			sub.TrialSettings.EndBehavior.MissingPaymentMethod = m
		}
	}
	if p.has("cancel_at_period_end") {
		c.cancelAtPeriodEnd(sub, p.boolean("cancel_at_period_end"))
	}
	if p.has("cancel_at") {
		at := p.integer("cancel_at")
		now := c.now.Unix()
		sub.CancelAt, sub.CanceledAt = &at, &now
		if at == 0 {
			sub.CancelAt, sub.CanceledAt = nil, nil
		}
	}
	if end := p.text("trial_end"); end != "" {
		at := c.now.Unix()
		if end != "now" {
			at = p.integer("trial_end")
		}
		if at > c.now.Unix() {
			start := c.now.Unix()
			if sub.TrialStart != nil {
				start = *sub.TrialStart
			}
			sub.setTrial(start, at)
		} else if sub.Status == trialing {
			sub.TrialEnd, sub.CurrentPeriodEnd, sub.BillingCycleAnchor = &at, at, at
		}
	}
	return nil
}

func retrieveSubscription(c *call) (any, *Error) {
	return retrieve(c, c.w.subscriptions, "subscription", "id")
}

func listSubscriptions(c *call) (any, *Error) {
	p := c.params
	status := p.text("status")
	price := p.text("price")
	ends, starts := p.within("current_period_end"), p.within("current_period_start")
	p.ignore("collection_method")
	return listBy(c, c.w.subscriptions, []filter[*Subscription]{
		{"customer", func(s *Subscription) string { return string(s.Customer) }, p.text("customer")},
	}, func(s *Subscription) bool {
		wanted := s.Status == status
		switch status {
		case "":
			wanted = s.Status != canceled && s.Status != incompleteExpired
		case "all":
			wanted = true
		case "ended":
			wanted = s.ended()
		}
		return wanted && (price == "" || s.Items.Data[0].Price.ID == price) && ends.contains(s.CurrentPeriodEnd) && starts.contains(s.CurrentPeriodStart)
	})
}
