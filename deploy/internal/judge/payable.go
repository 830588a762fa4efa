package judge

import "slices"

// mayYetBeCharged are the states of an order whose buyer may still pay. Of FAILED that
// is another card, and nothing of the last one may be under way any more.
var mayYetBeCharged = map[string][]string{
	"PENDING": {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture", "processing", "open"},
	"FAILED":  {"requires_payment_method"},
}

// payable: for an order that is expired nothing at Stripe can be paid, and for one that
// is paid nothing more. A page that is open, an intent that is neither paid nor canceled,
// and a subscription's first invoice that is open can be, whether or not somebody here
// knows of them.
func (v *verdict) payable() {
	for _, s := range v.stripe.Sessions {
		if s.Status == "open" {
			v.payableBy("page "+s.ID, s.Status, s.Metadata)
		}
	}
	for _, i := range v.stripe.Intents {
		if slices.Contains(mayYetBeCharged["PENDING"], i.Status) {
			v.payableBy("intent "+i.ID, i.Status, i.Metadata)
		}
	}
	for _, i := range v.stripe.Invoices {
		if i.Status == "open" && i.BillingReason == "subscription_create" {
			v.payableBy("invoice "+i.ID, i.Status, v.stripe.subscriptions[i.Subscription].Metadata)
		}
	}
}

// payableBy finds what is payable when it is ours, and its order says that it is not.
func (v *verdict) payableBy(what, status string, marks map[string]string) {
	o, known := v.records.ordersByID[marks["order_id"]]
	if !known || marks["makegood_app"] != v.stripe.app || slices.Contains(mayYetBeCharged[o.State], status) {
		return
	}
	v.found(StillPayable, o.ID, "it is %s, and %s at Stripe is %s", o.State, what, status)
}
