// Package simulation plays random histories of the shop against the whole product
// in one process: purchases, retries, declines, 3-D Secure, refunds, disputes and
// renewals, while events are lost, repeated and overtaken, services are killed,
// PostgreSQL, Stripe, the mail server and the connections between services fail, and
// clocks jump. One number, the seed, decides a history; each begins in a world of its
// own, with an empty database, so that any of them plays again alone. When it is
// over, deploy/internal/judge says from outside whether anybody lost.
package simulation

// Kind is a way in which things go wrong.
type Kind string

// The kinds of faults.
const (
	EventLost     Kind = "event lost"
	EventTwice    Kind = "event twice at once"
	EventAgain    Kind = "event again, hours later"
	EventOvertook Kind = "event late and overtaken"

	StripeFails        Kind = "Stripe answers 500, nothing done"
	StripeBusy         Kind = "Stripe answers 429"
	StripeRefusesUs    Kind = "Stripe answers 401"
	StripeUnreached    Kind = "request to Stripe lost"
	StripeAnswerLost   Kind = "Stripe's answer lost"
	StripeFailsAfter   Kind = "Stripe answers 500, it is done"
	StripeAnswerBroken Kind = "Stripe's answer cut off"

	WriteRefused      Kind = "database error"
	WriteSerialized   Kind = "serialization failure"
	ConnectionLost    Kind = "database connection lost, not durable"
	ConfirmationLost  Kind = "database connection lost, durable"
	KilledBefore      Kind = "kill -9, not durable"
	KilledAfter       Kind = "kill -9, durable, not known"
	KilledWhileStripe Kind = "kill -9, Stripe's answer on its way"

	CallLost   Kind = "call between services lost"
	AnswerLost Kind = "answer between services lost"

	ClockJumps Kind = "clock jumps forward"
	ClockOff   Kind = "a service's clock is off by seconds"

	MailRefused    Kind = "mail refused for a while"
	MailAnswerLost Kind = "mail taken, answer lost"
	MailDown       Kind = "mail server away"
)

// kinds are all of them, as they are listed.
var kinds = []Kind{
	EventLost, EventTwice, EventAgain, EventOvertook,
	StripeFails, StripeBusy, StripeRefusesUs, StripeUnreached, StripeAnswerLost, StripeFailsAfter, StripeAnswerBroken,
	WriteRefused, WriteSerialized, ConnectionLost, ConfirmationLost, KilledBefore, KilledAfter, KilledWhileStripe,
	CallLost, AnswerLost, ClockJumps, ClockOff, MailRefused, MailAnswerLost, MailDown,
}

// atSteps are those that a step may order, each as likely as it stands here often.
var atSteps = []Kind{
	StripeFails, StripeBusy, StripeRefusesUs, StripeUnreached, StripeAnswerLost, StripeAnswerLost, StripeFailsAfter, StripeAnswerBroken,
	WriteRefused, WriteSerialized, ConnectionLost, ConfirmationLost, ConfirmationLost,
	KilledBefore, KilledBefore, KilledBefore, KilledAfter, KilledAfter, KilledAfter, KilledAfter, KilledWhileStripe, KilledWhileStripe,
	CallLost, AnswerLost, ClockOff, MailRefused, MailAnswerLost, MailDown,
}

// stripeModes are how the simulator of Stripe calls them.
var stripeModes = map[Kind]string{
	StripeFails: "error_before", StripeBusy: "error_before", StripeRefusesUs: "error_before", StripeUnreached: "reset_before",
	StripeAnswerLost: "reset_after", StripeFailsAfter: "error_after", StripeAnswerBroken: "truncate", KilledWhileStripe: "hang_after",
}

// stripeStatus is what Stripe answers in those that refuse before anything is done.
var stripeStatus = map[Kind]int{StripeFails: 500, StripeBusy: 429, StripeRefusesUs: 401}

// Happening is what people do, or what Stripe does to them.
type Happening string

// The happenings that are counted; a history is made of them.
const (
	Bought        Happening = "purchases paid"
	Repeated      Happening = "requests repeated"
	BoughtMore    Happening = "further orders of the same"
	Declined      Happening = "declines"
	Authenticated Happening = "3-D Secure passed"
	Unproven      Happening = "3-D Secure failed"
	Debited       Happening = "debits that a bank answers later"
	OnPage        Happening = "paid on Stripe's page"
	InBrowser     Happening = "confirmed in the browser"
	Abandoned     Happening = "orders abandoned"
	RefundedThere Happening = "refunds in Stripe's dashboard"
	RefundedHere  Happening = "refunds by support"
	RefundFailed  Happening = "refunds that failed"
	Disputed      Happening = "disputes opened"
	DisputeOver   Happening = "disputes decided"
	Renewed       Happening = "renewals paid"
	RenewalFailed Happening = "renewals not paid"
	Canceled      Happening = "subscriptions ended"
	Foreign       Happening = "another product's charges"
)

var happenings = []Happening{Bought, Repeated, BoughtMore, Declined, Authenticated, Unproven, Debited, OnPage, InBrowser, Abandoned,
	RefundedThere, RefundedHere, RefundFailed, Disputed, DisputeOver, Renewed, RenewalFailed, Canceled, Foreign}
