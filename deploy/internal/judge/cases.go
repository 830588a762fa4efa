package judge

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// wanted is a case that somebody must have, or may have, by what Stripe has.
type wanted struct {
	kind string
	// subject is what the case is about, or charge is named in it: a charge, or a message.
	subject, charge string
	// after: a case that was opened earlier is not this one; zero for any time.
	after time.Time
	// must: without it nobody knows. Otherwise it may be there: it is closed by a
	// person only, or depends on who heard of what first.
	must bool
	why  string
	met  int
}

func (w *wanted) isMetBy(c openCase) bool {
	aboutOrder := strings.HasPrefix(c.Subject, "order/") // its summary may name the charges of others, too
	return w.kind == c.Kind && !c.OpenedAt.Before(w.after) && (c.Subject == w.subject || !aboutOrder && strings.Contains(c.Summary, w.charge))
}

// cases: who must look into something has a case about exactly that, and nobody is
// asked for what needs nobody.
func (v *verdict) cases() {
	all := slices.Concat(v.disputed(), v.bounced(), v.lapsing(), v.paidTwice(), v.undelivered())
	for _, c := range v.records.cases {
		i := slices.IndexFunc(all, func(w wanted) bool { return w.isMetBy(c) })
		switch {
		case c.Kind == "DISCREPANCY" && v.differsRightly(c):
		case i < 0:
			v.found(NeedlessCase, "case "+c.ID, "%s about %s: %s", c.Kind, c.Subject, c.Summary)
		case all[i].met > 0:
			v.found(NeedlessCase, "case "+c.ID, "one more of %s about %s: %s", c.Kind, c.Subject, c.Summary)
		default:
			all[i].met++
		}
	}
	for _, w := range all {
		if w.must && w.met == 0 {
			v.found(MissingCase, w.subject, "nobody is asked to look: %s (%s of %s)", w.why, w.kind, w.charge)
		}
	}
}

// about is the subject of a case about the order of a charge.
func (v *verdict) about(c charge) (order, subject string) {
	order = v.stripe.orderOf(c)
	if paid, known := v.records.byCharge[c.ID]; known {
		order = paid.Order
	}
	return order, "order/" + order
}

// ourPaid are the charges of ours that took money.
func (v *verdict) ourPaid() (paid []charge) {
	for _, c := range v.stripe.Charges {
		if c.Status == "succeeded" && v.stripe.ours(c) {
			paid = append(paid, c)
		}
	}
	return paid
}

// disputed: a person answers a dispute, and closes its case.
func (v *verdict) disputed() (all []wanted) {
	for _, c := range v.ourPaid() {
		for _, d := range v.stripe.Disputes {
			if d.Charge == c.ID {
				_, subject := v.about(c)
				open := d.Status != "won" && d.Status != "lost"
				all = append(all, wanted{kind: "DISPUTE", subject: subject, charge: c.ID, must: open, why: "dispute " + d.ID + " is " + d.Status})
			}
		}
	}
	return all
}

// bounced: money that was to go back and did not, as long as as much of it has not
// gone another way since, and as long as an order is taken for refunded by it.
func (v *verdict) bounced() (all []wanted) {
	for _, c := range v.ourPaid() {
		refunds := v.stripe.refundsOf(c.ID)
		failed := slices.IndexFunc(refunds, func(r refund) bool { return r.Status == "failed" })
		if failed < 0 || c.AmountRefunded == c.Amount {
			continue
		}
		order, subject := v.about(c)
		again := slices.ContainsFunc(refunds[failed+1:], func(r refund) bool { return r.Status == "succeeded" && r.Amount >= refunds[failed].Amount })
		if again && v.records.ordersByID[order].State != "REFUNDED" {
			continue
		}
		all = append(all, wanted{kind: "FAILED_REFUND", subject: subject, charge: c.ID, must: !v.stripe.lost[c.ID],
			why: "refund " + refunds[failed].ID + " failed"})
	}
	return all
}

// refundsOf are those of a charge, oldest first.
func (a *account) refundsOf(charge string) (refunds []refund) {
	for _, r := range a.Refunds {
		if r.Charge == charge {
			refunds = append(refunds, r)
		}
	}
	return refunds
}

// lapsing: the money of a term went back, and Stripe will charge the next: its customer
// must be asked, unless the term was over before anybody here heard of it.
func (v *verdict) lapsing() (all []wanted) {
	for _, c := range v.ourPaid() {
		in, ok := v.stripe.invoices[c.Invoice]
		sub := v.stripe.subscriptions[in.Subscription]
		if !ok || v.stripe.kept(c) || sub.Status == "canceled" || sub.Status == "active" && sub.CancelAtPeriodEnd {
			continue
		}
		order, subject := v.about(c)
		withdrawn := v.records.ordersByID[order].WithdrawnAt
		must := sub.Status == "active" && c.AmountRefunded == c.Amount && withdrawn != nil && withdrawn.Before(in.end())
		all = append(all, wanted{kind: "SUBSCRIPTION", subject: subject, charge: c.ID, must: must,
			why: "its money went back, and subscription " + sub.ID + " goes on"})
	}
	return all
}

// end is until when the invoice's term goes.
func (i invoice) end() (end time.Time) {
	for _, line := range i.Lines.Data {
		if at := time.Unix(line.Period.End, 0); at.After(end) {
			end = at
		}
	}
	return end
}

// repeatedWithin is how soon after a purchase the same again looks like a mistake.
const repeatedWithin = 10 * time.Minute

// paidTwice: what the same person paid for the same more than once, and of which more
// than one is kept. Within minutes, and not said to be meant, it is a mistake; else it
// may be asked.
func (v *verdict) paidTwice() (all []wanted) {
	paid := map[string][]charge{} // by buyer and plan
	for _, c := range v.ourPaid() {
		order, _ := v.about(c)
		if o := v.records.ordersByID[order]; o.Kind == "PURCHASE" {
			paid[o.Email+" "+o.Plan] = append(paid[o.Email+" "+o.Plan], c)
		}
	}
	for _, charges := range paid {
		charges = slices.DeleteFunc(charges, func(c charge) bool { return !v.stripe.kept(c) })
		for _, c := range charges {
			order, subject := v.about(c)
			o := v.records.ordersByID[order]
			if len(charges) < 2 {
				continue
			}
			mistake := slices.ContainsFunc(charges, func(first charge) bool {
				id, _ := v.about(first)
				e := v.records.ordersByID[id]
				return e.ID != o.ID && e.State != "REFUNDED" && e.ChargedAt != nil && o.ChargedAt != nil &&
					e.ChargedAt.Before(*o.ChargedAt) && o.ChargedAt.Sub(*e.ChargedAt) <= repeatedWithin
			})
			all = append(all, wanted{kind: "DUPLICATE_CHARGE", subject: subject, charge: c.ID, must: mistake && !o.AllowRepeat && o.State != "REFUNDED",
				why: "the same was paid by the same person before"})
		}
	}
	slices.SortFunc(all, func(a, b wanted) int { return strings.Compare(a.charge, b.charge) })
	return all
}

var named = regexp.MustCompile(`\bch_\w+`)

// differsRightly: the one case about all differences names nothing but charges whose
// refund came back from the bank.
func (v *verdict) differsRightly(c openCase) bool {
	charges := named.FindAllString(c.Summary, -1)
	return len(charges) > 0 && !slices.ContainsFunc(charges, func(id string) bool {
		return !slices.ContainsFunc(v.stripe.Charges, func(c charge) bool { return c.ID == id && v.cameBack(c) })
	})
}

// cameBack: all of a charge's money went back, its order is refunded for that, and
// then the bank returned some of it. A person sees to the rest.
func (v *verdict) cameBack(c charge) bool {
	order, _ := v.about(c)
	sent, failed := int64(0), false
	for _, r := range v.stripe.refundsOf(c.ID) {
		sent += r.Amount
		failed = failed || r.Status == "failed"
	}
	return failed && sent >= c.Amount && v.records.ordersByID[order].State == "REFUNDED"
}

// endedWith: a charge paid a term of a subscription that was ended since, and its
// access with it.
func (v *verdict) endedWith(c charge, order string) bool {
	sub := v.stripe.subscriptions[v.stripe.invoices[c.Invoice].Subscription]
	return sub.Status == "canceled" && sub.EndedAt >= c.Created && v.records.endedGrant[order]
}
