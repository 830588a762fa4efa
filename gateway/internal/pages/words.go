package pages

// Everything that the status page can say, in one place. A sentence may be
// here only if it is true whenever it is shown: nothing about money that
// Stripe has not said, no time that nobody computed.

// words are what one situation of an order has to say.
type words struct {
	// Title is the one thing to take away; it is the tab's title too.
	Title string
	// Lead says what is known about the money.
	Lead string
	// Next says what happens now, and what the reader must or must not do.
	Next string
}

// situation names what the page is about.
type situation int

const (
	unreachable situation = iota // Orders gave no answer
	noReference
	notFound
	checking
	buyerMustAct
	payElsewhere // on a page of Stripe's or the bank's
	settingUp
	extending // the order paid a subscription's next term
	ready
	renewed
	accessEnded
	declined
	nothingCharged
	refunded
)

var catalogue = map[situation]words{
	unreachable: {
		Title: "We cannot see your order right now",
		Lead:  "So we do not know yet whether your payment went through. Please do not pay again for now.",
		Next:  "If a payment was made, it is matched to this order as soon as we see it. This page asks again every few seconds and shows the result here. You can also close it and come back with the same link.",
	},
	noReference: {
		Title: "About your payment",
		Lead:  "If you have just paid, please do not pay again for now.",
		Next:  "This page was opened without an order reference, so it cannot show how your order stands. Open the link from your checkout again, or write to us and say when you paid and with which email address.",
	},
	notFound: {
		Title: "We have no order under this reference yet",
		Lead:  "Nothing is recorded under this reference so far.",
		Next:  "If you have just sent your order, it may still arrive: this page asks again every few seconds, so please do not pay again yet. If your bank shows a charge, write to us with the reference below.",
	},
	checking: {
		Title: "We are checking your payment",
		Lead:  "We are checking with the payment provider whether your payment went through. Please do not pay again yet.",
		Next:  "You do not need to do anything. This page shows the result as soon as it is known; you can also close it and come back with the same link.",
	},
	buyerMustAct: {
		Title: "One step is left",
		Lead:  "Your payment is waiting for you to confirm it.",
		Next:  "Go back to the page where you were paying and finish the confirmation there. If you have already confirmed, this page shows the result as soon as it is known.",
	},
	payElsewhere: {
		Title: "Your payment is not finished",
		Lead:  "It is finished on a page of the payment provider or of your bank.",
		Next:  "Go back to that page to finish it. If you have already done so, this page shows the result as soon as it is known.",
	},
	settingUp: {
		Title: "Your payment arrived",
		Lead:  "Your payment arrived; we are setting up your access.",
		Next:  "You do not need to do anything, and you do not need to pay again. This page shows when it is done.",
	},
	extending: {
		Title: "Your payment arrived",
		Lead:  "Your payment arrived; we are adding the next term to your access.",
		Next:  "You do not need to do anything, and you do not need to pay again. This page shows when it is done.",
	},
	ready: {
		Title: "You're in",
		Lead:  "Your payment arrived and your access is ready.",
		Next:  "The details are also sent by email. If nothing arrives, look in your spam folder or write to us.",
	},
	renewed: {
		Title: "Your subscription is renewed",
		Lead:  "Your payment arrived, and the next term is added to your access.",
		Next:  "The details are also sent by email. If nothing arrives, look in your spam folder or write to us. To cancel before the next term, write to us too.",
	},
	accessEnded: {
		Title: "This order has run out",
		Lead:  "Your payment arrived, and the access that this order paid for has ended.",
		Next:  "This is about this order alone: a later order or a renewal has its own reference and its own email. If you expected to have access still, write to us with the reference below.",
	},
	declined: {
		Title: "Your card was not charged",
		Lead:  "The payment was declined.",
		Next:  "You can go back and try another card for the same order.",
	},
	nothingCharged: {
		Title: "Nothing was charged",
		Lead:  "This order ended without a payment.",
		Next:  "If you still want to buy, you can start a new order.",
	},
	refunded: {
		Title: "Your payment was refunded",
		Lead:  "The full amount of this order was refunded; the access it paid for ends with that.",
		Next:  "Your bank decides when the money shows on your statement.",
	},
}

// nothingToPay is what is said instead where a coupon or a credit left nothing to
// pay: no payment arrived.
var nothingToPay = map[situation]words{
	settingUp:   {Title: "Your order is in", Lead: "There was nothing to pay; we are setting up your access."},
	extending:   {Title: "Your order is in", Lead: "There was nothing to pay; we are adding the next term to your access."},
	ready:       {Title: catalogue[ready].Title, Lead: "There was nothing to pay, and your access is ready."},
	renewed:     {Title: catalogue[renewed].Title, Lead: "There was nothing to pay, and the next term is added to your access."},
	accessEnded: {Title: catalogue[accessEnded].Title, Lead: "There was nothing to pay, and the access that this order was for has ended."},
}

// The words around the situation.
const (
	wordReference     = "Your reference"
	wordAmount        = "Amount"
	wordReceived      = "Payment received"
	wordAccessUntil   = "Access until"
	wordAccessEnded   = "Access ended"
	wordProviderSays  = "The payment provider says:"
	wordLookAgainBy   = "We look again by %s."
	wordContinue      = "Continue to that page"
	wordQuestions     = "Questions? Write to us and mention the reference:"
	wordQuestionsBare = "Questions? Write to us:"
	wordHome          = "Back to %s"
	mailSubject       = "Order %s"
	mailSubjectBare   = "A question about my payment"
	mailBody          = "My order reference is %s.\n\n"
)
