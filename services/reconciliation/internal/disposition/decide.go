package disposition

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/platform/money"
)

// Decide says what a charge is, by the first rule that fits.
func Decide(f Facts) Decision {
	d := decide(f)
	d.Evidence = evidence(f)
	if f.Order != nil && d.Kind != Foreign {
		d.OrderID = f.Order.ID
	}
	if d.Kind != "" && f.Trouble != "" {
		d.Reason += "; " + f.Trouble
		d.Step, d.Again = Nothing, true
	}
	if f.Charge.Status == Pending && d.Kind != "" && d.Kind != Foreign {
		d.Again = true
	}
	return d
}

func decide(f Facts) Decision {
	c := f.Charge
	if c.Status != Succeeded && c.Status != Pending {
		return Decision{}
	}
	if c.Owner == NotOurs {
		return Decision{Kind: Foreign, Reason: c.OwnerReason}
	}
	if d, doubtful := doubt(f); doubtful {
		if c.FullyRefunded() || !c.Taken() {
			d.Case = nil // no money of anybody's is here, or not yet
		}
		return d
	}
	if c.FullyRefunded() {
		return refunded(f)
	}
	if d, is := duplicate(f); is {
		return d
	}
	return settled(f)
}

// doubt are the charges that a machine must not decide about.
func doubt(f Facts) (d Decision, doubtful bool) {
	c, o := f.Charge, f.Order
	switch {
	case c.Owner == Claimed:
		return quarantine(c, ClaimedCharge, "charge/"+c.ID, "of the checkout that was there before ("+c.OwnerReason+"); a person adopts it"), true
	case c.Owner != Ours:
		return quarantine(c, UnclearEvent, "charge/"+c.ID, "its hints do not agree: "+c.OwnerReason), true
	case o == nil && f.CannotAdopt != "":
		return quarantine(c, UnidentifiedCharge, "charge/"+c.ID, "it carries our mark and has no order, and none can be made from it without a guess: "+f.CannotAdopt), true
	case o == nil:
		return Decision{}, false
	case c.OrderID != "" && c.OrderID != o.ID && o.PaidBy != c.ID:
		return quarantine(c, UnclearEvent, "charge/"+c.ID, fmt.Sprintf("it names order %s and is known by order %s", c.OrderID, o.ID)), true
	case f.CannotAdopt != "" && !c.Recorded:
		d := quarantine(c, UnclearEvent, "charge/"+c.ID, fmt.Sprintf("it names order %s, and Payments cannot write it down for it: it has no %s", o.ID, f.CannotAdopt))
		d.Again = true // its order may yet be paid by another, and then this is a second charge
		return d, true
	case c.AmountMinor != o.AmountMinor && !o.AmountOpen || c.Currency != o.Currency:
		return quarantine(c, WrongCharge, "order/"+o.ID, fmt.Sprintf("order %s asked for %s", o.ID, show(o.AmountMinor, o.Currency))), true
	case c.CustomerID != "" && o.CustomerID != "" && c.CustomerID != o.CustomerID:
		return quarantine(c, WrongCharge, "order/"+o.ID, fmt.Sprintf("order %s is of Stripe's customer %s, and the charge of %s", o.ID, o.CustomerID, c.CustomerID)), true
	}
	return Decision{}, false
}

func quarantine(c Charge, kind CaseKind, subject, reason string) Decision {
	return Decision{Kind: Quarantined, Reason: reason, Case: &Case{
		Kind: kind, Subject: subject, Summary: fmt.Sprintf("charge %s of %s: %s", c.ID, show(c.AmountMinor, c.Currency), reason),
	}}
}

func refunded(f Facts) Decision {
	d := Decision{Kind: Refunded, Reason: "refunded in full"}
	if !f.Charge.Captured {
		d.Reason = "only reserved, and released"
		return d
	}
	switch o := f.Order; {
	case o == nil:
	case o.PaidBy != f.Charge.ID: // the order was paid by another, or by none
	case o.State != "REFUNDED" || o.AccessWithdrawnAt.IsZero():
		d.Reason += "; access is not withdrawn yet"
		d.Step, d.Again = Tell, true
	case f.LostWithdrawal():
		d.Reason += "; its access was withdrawn, and Provisioning does not know that"
		d.Step, d.Again = Advance, true
	}
	return d
}

// duplicate is a second charge for what was wanted once: for one order, or for a
// second order of the same person. It is read again until it is not one any more.
func duplicate(f Facts) (Decision, bool) {
	c, o := f.Charge, f.Order
	switch {
	case o == nil || !c.Taken():
		return Decision{}, false
	case o.PaidBy != "" && o.PaidBy != c.ID:
		return paidTwice(c, o), true
	case o.DuplicateOf != "" && !(o.Dispute == "LOST" && fulfilled(o)): // what was lost, the bank has given back
		return paidAgain(f), true
	}
	return Decision{}, false
}

// paidTwice is a charge for an order that another charge had paid.
func paidTwice(c Charge, o *Order) Decision {
	d := Decision{Kind: Duplicate, Again: true, Reason: fmt.Sprintf("order %s was paid by %s already", o.ID, o.PaidBy)}
	what := fmt.Sprintf("order %s was paid twice: by %s (%s), and by %s", o.ID, o.PaidBy, show(o.AmountMinor, o.Currency), named(c))
	if o.State == "REFUNDED" {
		// What is left is no second payment: it is the only one, and gives nothing.
		d.Kind, d.Reason = Quarantined, fmt.Sprintf("order %s was paid by %s, which went back with its access, and this charge for it still stands", o.ID, o.PaidBy)
		what += "; the first went back and the access with it, so that its buyer has neither access nor all of the money"
	}
	d.Case = &Case{Kind: DuplicateCharge, Subject: "order/" + o.ID, Summary: what + refundCall(c, o)}
	return d
}

// paidAgain is the charge of an order whose buyer has paid another for the same.
func paidAgain(f Facts) Decision {
	c, o := f.Charge, f.Order
	first := nonEmpty(o.DuplicateDescription, "order "+o.DuplicateOf)
	d := Decision{Kind: Duplicate, Again: true, Reason: "the same person had paid order " + o.DuplicateOf + " for the same"}
	what := fmt.Sprintf("the same person paid twice for the same: first %s, then order %s by %s", first, o.ID, named(c))
	if o.State == "FAILED" || o.State == "EXPIRED" {
		d.Reason = fmt.Sprintf("order %s had been given up as %s, and the same person has paid order %s instead", o.ID, o.State, o.DuplicateOf)
		what = fmt.Sprintf("the same person paid twice for the same: order %s, which had been given up as %s and gives no access, by %s, and %s", o.ID, o.State, named(c), first)
	}
	d.Case = &Case{Kind: DuplicateCharge, Subject: "order/" + o.ID, Summary: what + refundCall(c, o)}
	switch {
	case f.InFlight:
	case !c.Recorded: // else it could not be refunded here
		d.Step = Tell
	case o.State == "CHARGED" || o.State == "ORPHANED":
		d.Step = Advance // both are honoured until a person decides
	}
	return d
}

// named is a charge as a person needs it who must choose between two.
func named(c Charge) string {
	return fmt.Sprintf("%s (%s, %s) on %s", c.ID, nonEmpty(c.IntentID, "no payment intent"), show(c.AmountMinor, c.Currency), day(c.CreatedAt))
}

// refundCall is the one step that gives a second charge back.
func refundCall(c Charge, o *Order) string {
	if won := o.PaidBy == c.ID && o.Dispute == "WON"; c.Disputed && !won {
		return "; the bank disputes this charge or did: see at Stripe how that stands, for what the bank gives back must not be refunded as well"
	}
	return fmt.Sprintf(`; one step refunds it and touches nothing else: payments.v1.PaymentsAdminService/RefundPayment {"order_id": %q, "charge_id": %q, "refund_id": %q, "reason": "paid twice"}`,
		o.ID, c.ID, RefundIDOfSecond(c.ID))
}

// RefundIDOfSecond names the refund of a second payment as a whole: asked for twice, by
// two people, it is one refund.
func RefundIDOfSecond(chargeID string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("makegood duplicate "+chargeID)).String()
}

// settled is a charge of ours without a doubt: at rest, or on its way.
func settled(f Facts) Decision {
	c, o := f.Charge, f.Order
	open := func(step Step, reason string) Decision {
		if f.InFlight {
			return Decision{Kind: Open, Reason: reason + "; it is new", Again: true}
		}
		return Decision{Kind: Open, Reason: reason, Step: step, Again: true}
	}
	switch {
	case c.Status == Pending:
		return open(Nothing, "the bank has not answered yet")
	case !c.Captured:
		return open(Nothing, "the money is only reserved")
	case o == nil && f.Unmatched:
		return open(Nothing, "which order it has is not known")
	case o == nil:
		return open(Tell, "it has no order")
	case o.State == "REFUNDED" && o.PaidBy == c.ID && f.Told:
		return unpaidRefund(c, o)
	}
	lost := o.Dispute == "LOST"
	switch {
	case !c.Recorded:
		return open(Tell, "Payments has no record of it")
	case o.RefundedMinor != c.RefundedMinor && o.PaidBy == c.ID:
		return open(Tell, fmt.Sprintf("Stripe has refunded %s of it, and order %s knows of %s",
			show(c.RefundedMinor, c.Currency), o.ID, show(o.RefundedMinor, o.Currency)))
	case c.Disputed && o.Dispute == "":
		return open(Tell, "order "+o.ID+" does not know that it is disputed")
	case f.Advanced && (o.State == "FAILED" || o.State == "EXPIRED"):
		// Orders has the case: its buyer has paid for the same since, for example.
		return Decision{Kind: Quarantined, Again: true, Reason: fmt.Sprintf("order %s is %s although it is paid, and Orders leaves it to a person", o.ID, o.State)}
	case !fulfilled(o):
		return open(Advance, fmt.Sprintf("order %s is %s", o.ID, o.State))
	case lost && f.LostWithdrawal():
		return open(Advance, "its dispute was lost and its access withdrawn, and Provisioning does not know that")
	case lost && !o.AccessWithdrawnAt.IsZero() && c.LostMinor > 0 && c.LostMinor+c.RefundedMinor < c.AmountMinor:
		return lostInPart(c, o)
	case lost && !o.AccessWithdrawnAt.IsZero():
		return atRest(o, "its dispute was lost and its access withdrawn")
	case lost:
		return open(Advance, "its dispute was lost, and access is not withdrawn yet")
	case f.Grant == nil:
		return open(Advance, fmt.Sprintf("order %s is %s without access", o.ID, o.State))
	case f.Grant.Ended:
		return atRest(o, "its subscription was ended before the term was over")
	case f.Grant.Revoked:
		return open(Advance, fmt.Sprintf("order %s is %s, and its access was withdrawn", o.ID, o.State))
	}
	return atRest(o, "it has access")
}

func fulfilled(o *Order) bool { return o.State == "COMPLETE" || o.State == "RECOVERED" }

func atRest(o *Order, how string) Decision {
	if o.RecoveredBy != "" || o.State == "RECOVERED" {
		return Decision{Kind: Recovered, Reason: fmt.Sprintf("order %s is %s by %s, and %s", o.ID, o.State, nonEmpty(o.RecoveredBy, "its own request"), how)}
	}
	return Decision{Kind: Matched, Reason: fmt.Sprintf("order %s is %s, and %s", o.ID, o.State, how)}
}

// unpaidRefund is money that we said went back and that Stripe still shows as
// ours: the bank sent it back, or it was never sent.
func unpaidRefund(c Charge, o *Order) Decision {
	reason := fmt.Sprintf("order %s is REFUNDED, and Stripe has refunded %s of %s", o.ID, show(c.RefundedMinor, c.Currency), show(c.AmountMinor, c.Currency))
	d := quarantine(c, FailedRefund, "order/"+o.ID, reason)
	d.Case.Summary += "; the customer has neither access nor all of the money"
	return d
}

// lostInPart is a charge of which the bank took a part, and with that part the access: the
// rest is paid for nothing. Whether it goes back, a person decides.
func lostInPart(c Charge, o *Order) Decision {
	reason := fmt.Sprintf("a dispute about %s of it was lost and the access of order %s withdrawn, and %s is still with us",
		show(c.LostMinor, c.Currency), o.ID, show(c.AmountMinor-c.LostMinor-c.RefundedMinor, c.Currency))
	d := quarantine(c, LostInPart, "order/"+o.ID, reason)
	d.Case.Summary += ": its buyer has neither access nor all of the money; give the rest back at Stripe's dashboard, or another way if Stripe refuses that of what a bank took back, or close this with what was decided"
	return d
}

func evidence(f Facts) []string {
	c := f.Charge
	lines := []string{
		fmt.Sprintf("Stripe: %s, %s, captured %t, of %s", c.Status, show(c.AmountMinor, c.Currency), c.Captured, c.CreatedAt.UTC().Format(time.RFC3339)),
		"owner: " + string(c.Owner) + ", " + nonEmpty(c.OwnerReason, "no reason given"),
	}
	if c.RefundedMinor != 0 || c.Disputed {
		lines = append(lines, fmt.Sprintf("Stripe: %s refunded, disputed %t", show(c.RefundedMinor, c.Currency), c.Disputed))
	}
	if c.LostMinor != 0 {
		lines = append(lines, fmt.Sprintf("Stripe: the bank took %s back", show(c.LostMinor, c.Currency)))
	}
	if c.Owner == NotOurs {
		return lines
	}
	if c.OrderID != "" {
		lines = append(lines, "it names order "+c.OrderID)
	}
	lines = append(lines, fmt.Sprintf("Payments: recorded %t", c.Recorded))
	switch o := f.Order; {
	case o == nil:
		lines = append(lines, "Orders: has no order for it")
	default:
		lines = append(lines, fmt.Sprintf("Orders: order %s is %s, of %s, paid by %s, recovered by %s", o.ID, o.State,
			show(o.AmountMinor, o.Currency), nonEmpty(o.PaidBy, "nothing known"), nonEmpty(o.RecoveredBy, "nobody")))
		if o.RefundedMinor != 0 || o.Dispute != "" {
			lines = append(lines, fmt.Sprintf("Orders: %s refunded, dispute %s", show(o.RefundedMinor, o.Currency), nonEmpty(o.Dispute, "none")))
		}
		if o.DuplicateOf != "" {
			lines = append(lines, "Orders: the same person paid order "+o.DuplicateOf+" for the same")
		}
		switch {
		case f.Grant == nil:
			lines = append(lines, "Provisioning: no access")
		case f.Grant.Ended:
			lines = append(lines, "Provisioning: access ended with its subscription")
		case f.Grant.Revoked:
			lines = append(lines, "Provisioning: access withdrawn")
		default:
			lines = append(lines, "Provisioning: access")
		}
	}
	if f.CannotAdopt != "" {
		lines = append(lines, "cannot be adopted: "+f.CannotAdopt)
	}
	return lines
}

func show(minor int64, currency string) string { return money.Display(minor, currency) }

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func nonEmpty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
