package console

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strings"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// caseWord is what a kind of case means, for somebody who has just been woken.
type caseWord struct {
	// Name is short, Means says what it is, First what to do first.
	Name, Means, First string
}

var caseKinds = map[reconciliationv1.Case_Kind]caseWord{
	reconciliationv1.Case_STUCK_ORDER:         {"Stuck order", "Several looks could not finish this order. The looks go on, hourly.", "Look it up: if the money is there, Recover finishes it in one step."},
	reconciliationv1.Case_WRONG_CHARGE:        {"Other amount paid", "The money that arrived is not what the order asked for. No access is given for it.", "Look it up and refund what is wrong; the case closes when it went back."},
	reconciliationv1.Case_FAILED_EVENT:        {"Event failed", "A webhook event could not be handled, several times. The tries go on.", "Read its error. Replay it when the cause is gone."},
	reconciliationv1.Case_UNDELIVERED_MESSAGE: {"Mail not delivered", "The mail server refused a message, or it was given up on.", "Check the address with the customer; resend once it is right."},
	reconciliationv1.Case_DUPLICATE_CHARGE:    {"Paid twice", "Two payments for what was wanted once.", "Look it up and refund the second. Nothing else is touched."},
	reconciliationv1.Case_UNKNOWN_PAYMENT:     {"Outcome unknown", "Stripe has not said whether a payment succeeded. It does not count as failed.", "Open the payment intent at Stripe. Do not ask the customer to pay again."},
	reconciliationv1.Case_FAILED_REFUND:       {"Refund came back", "A bank sent a refund back: the customer waits for their money.", "Ask the customer where it may go, and refund by another way at Stripe."},
	reconciliationv1.Case_DISPUTE:             {"Dispute", "A customer's bank disputes a charge. There is a deadline at Stripe.", "Answer it at Stripe. Do not refund meanwhile: the money would go back twice."},
	reconciliationv1.Case_FRAUD_WARNING:       {"Fraud warning", "Stripe warns that a charge may be fraud.", "Look at the purchase; a refund now may spare a dispute."},
	reconciliationv1.Case_UNIDENTIFIED_CHARGE: {"Charge without an order", "A charge of ours has no order, and an order cannot be made of it without a guess.", "Look the charge up and adopt it: you name buyer and plan."},
	reconciliationv1.Case_STRIPE_ACCESS:       {"Stripe refuses our key", "Nobody can buy, and nothing can be looked up at Stripe.", "Check the key in Stripe's dashboard and in the settings."},
	reconciliationv1.Case_SUBSCRIPTION:        {"Subscription", "A subscription needs a decision: its plan is unknown, it was paid without a charge, or it goes on after a refund.", "Read the summary; change or end it at Stripe."},
	reconciliationv1.Case_CLAIMED_CHARGE:      {"Charge of the old checkout", "An ownership rule says that this charge is ours.", "Look the charge up and adopt it: you name buyer and plan."},
	reconciliationv1.Case_DISCREPANCY:         {"Money does not add up", "Stripe and our records differ.", "Open the integrity report: it names each difference."},
	reconciliationv1.Case_UNDELIVERED_HOOK:    {"App not told", "Your own app does not take what it is told of access. It is told again by itself.", "Open Hooks: the page says what the app answers. Mend the app, then send again."},
	reconciliationv1.Case_UNCLEAR_EVENT:       {"Event for nobody", "An event's hints name different people, or it is of ours and fits nobody.", "Open the event. Link it to an order when you know whose it is."},
}

func caseWords(kind reconciliationv1.Case_Kind) caseWord {
	if w, ok := caseKinds[kind]; ok {
		return w
	}
	return caseWord{Name: human(kind)}
}

// subjectPath is where what something is about is shown; empty when nowhere.
func subjectPath(subject string) string {
	what, id, _ := strings.Cut(strings.TrimPrefix(subject, "message/"), "/")
	if id == "" {
		what, id = "", subject
	}
	id, _, _ = strings.Cut(id, "/")
	switch {
	case what == "event" || strings.HasPrefix(id, "evt_"):
		return "/events/" + url.PathEscape(id)
	case id == "access-hook":
		return "/hooks"
	case what == "case", what == "ticket":
		return "/" + what + "s/" + url.PathEscape(id)
	case what == "order", what == "charge", isUUID(id), strings.HasPrefix(id, "ch_"), strings.HasPrefix(id, "py_"), strings.HasPrefix(id, "pi_"):
		return "/lookup?q=" + url.QueryEscape(id)
	}
	return ""
}

// subjectLink leads from what something is about to where it is shown; an
// order's id is shortened.
func subjectLink(subject string) template.HTML {
	text := template.HTMLEscapeString(orderIDs.ReplaceAllStringFunc(subject, shortID))
	if to := subjectPath(subject); to != "" {
		return anchor(to, text)
	}
	return template.HTML("<code>" + text + "</code>")
}

var orderIDs = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func anchor(to, text string) template.HTML {
	return template.HTML(fmt.Sprintf(`<a href="%s">%s</a>`, template.HTMLEscapeString(to), text))
}

func isUUID(s string) bool { return len(s) == 36 && strings.Count(s, "-") == 4 }
