package service

// kind is what sort of news an event type brings.
type kind int

const (
	noNews kind = iota
	intentPaid
	intentChanged
	intentCanceled
	chargePaid
	chargeChanged
	checkoutCompleted
	checkoutOver
	subscriptionChanged
	subscriptionDeleted
	invoiceChanged
	customerDeleted
)

// kinds are the event types from which something follows.
var kinds = map[string]kind{
	"payment_intent.succeeded":       intentPaid,
	"payment_intent.payment_failed":  intentChanged,
	"payment_intent.processing":      intentChanged,
	"payment_intent.requires_action": intentChanged,
	"payment_intent.canceled":        intentCanceled,
	"charge.succeeded":               chargePaid,

	"charge.refunded":                   chargeChanged,
	"charge.refund.updated":             chargeChanged,
	"refund.created":                    chargeChanged,
	"refund.updated":                    chargeChanged,
	"refund.failed":                     chargeChanged,
	"charge.dispute.created":            chargeChanged,
	"charge.dispute.updated":            chargeChanged,
	"charge.dispute.closed":             chargeChanged,
	"charge.dispute.funds_withdrawn":    chargeChanged,
	"charge.dispute.funds_reinstated":   chargeChanged,
	"radar.early_fraud_warning.created": chargeChanged,

	"checkout.session.completed":               checkoutCompleted,
	"checkout.session.async_payment_succeeded": checkoutCompleted,
	"checkout.session.async_payment_failed":    checkoutOver,
	"checkout.session.expired":                 checkoutOver,

	"customer.subscription.created": subscriptionChanged,
	"customer.subscription.updated": subscriptionChanged,
	"customer.subscription.paused":  subscriptionChanged,
	"customer.subscription.resumed": subscriptionChanged,
	"customer.subscription.deleted": subscriptionDeleted,

	"invoice.paid":                    invoiceChanged,
	"invoice.payment_failed":          invoiceChanged,
	"invoice.payment_action_required": invoiceChanged,

	"customer.deleted": customerDeleted,
}

func (k kind) ofSubscription() bool {
	return k == subscriptionChanged || k == subscriptionDeleted || k == invoiceChanged || k == customerDeleted
}

// isOfOneOrder says that it is no use to know only the person.
func (k kind) isOfOneOrder() bool { return k == checkoutCompleted || k == checkoutOver }

// outcome is what becomes of an event of ours for which nobody is found.
type outcome int

const (
	// orphan: acknowledged, and it waits for its names.
	orphan outcome = iota
	// orphanPath: the money is read from Stripe and its order adopted, now.
	orphanPath
	// notYet: not acknowledged; Stripe delivers it again.
	notYet
	// notYetAndCase: the same, and a person is told.
	notYetAndCase
	// drop: nothing follows.
	drop
)

// patience is how many of Stripe's deliveries are answered "not yet" while
// nobody is found. Our own retries do not use them up.
const patience = 5

// nobodysPolicy is what becomes of an event of ours for which nobody is found,
// at the so-many-th delivery by Stripe.
func nobodysPolicy(k kind, live bool, attempt int32) outcome {
	switch {
	case k == intentCanceled || k == customerDeleted:
		return drop
	case !live:
		return orphan
	}
	switch k {
	case intentPaid, chargePaid, intentChanged:
		return orphanPath
	case checkoutCompleted:
		return notYetAndCase // it is our bug
	case subscriptionDeleted:
		return orphan
	default: // subscriptions, invoices, refunds, disputes, pages that are over
		if attempt <= patience {
			return notYet
		}
		return orphan
	}
}
