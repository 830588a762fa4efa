package service

import (
	"context"
	"fmt"
	"time"

	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/disposition"
)

// Target is what is to be made good; one of them is set.
type Target struct{ OrderID, ChargeID, Email string }

// The steps of a recovery, in their order.
const (
	stepLooked   = "money looked at"
	stepRecorded = "order recorded"
	stepAdvanced = "order advanced"
	stepAccess   = "access granted"
	stepMail     = "mail queued"
)

// Recover makes good what is not, after a fresh look at Stripe, through the one way to
// fulfil. Every step is judged by how it stands afterwards, and access by what
// Provisioning shows. Errors: desk.ErrNothingToRecover; when Stripe cannot be read.
func (s *Service) Recover(ctx context.Context, a desk.Act, t Target) (Acted, error) {
	if t.Email != "" {
		return s.recoverCustomer(ctx, a, t.Email)
	}
	r := &recovery{Service: s, dry: a.DryRun, orderID: t.OrderID, chargeID: t.ChargeID}
	return s.act(ctx, a, deed{
		subjects: about(nil, []string{t.OrderID, t.ChargeID}),
		stands:   func(ctx context.Context) any { return r.stands(ctx) },
		do: func(ctx context.Context) (did, error) {
			err := r.run(ctx)
			return did{steps: r.steps, subjects: []string{r.orderID, r.chargeID}}, err
		},
		show: func(ctx context.Context, out *Acted) error { s.showOrder(ctx, r.orderID, out); return nil },
	})
}

// recovery is one order or charge on its way to what was paid for.
type recovery struct {
	*Service
	dry               bool
	orderID, chargeID string
	steps             []desk.Step
}

func (r *recovery) step(what string, outcome desk.Outcome, note string, args ...any) {
	r.steps = append(r.steps, desk.Step{What: what, Outcome: outcome, Note: fmt.Sprintf(note, args...)})
}

// stands is how the order stands.
func (r *recovery) stands(ctx context.Context) any {
	if r.orderID == "" {
		return nil
	}
	st, err := r.standingOf(ctx, r.orderID)
	if err != nil {
		return nil
	}
	return st
}

func (r *recovery) run(ctx context.Context) error {
	r.steps = nil
	if r.chargeID == "" {
		if err := r.findCharge(ctx); err != nil {
			return err
		}
	}
	if r.chargeID == "" {
		return r.withoutCharge(ctx)
	}
	return r.byCharge(ctx)
}

// findCharge finds the charge of an order: as Orders knows it, or, of an order that is
// lost or not known to be paid, as a sweep has seen it.
func (r *recovery) findCharge(ctx context.Context) error {
	d, err := r.Orders.Standing(ctx, r.orderID)
	if err != nil {
		return err
	}
	if r.chargeID = d.GetChargeId(); r.chargeID != "" {
		return nil
	}
	seen, err := r.Store.Became(ctx, nil, []string{r.orderID})
	if err != nil {
		return err
	}
	for _, id := range seen.Orders[r.orderID] {
		if !seen.Charges[id].FullyRefunded {
			r.chargeID = id
			return nil
		}
	}
	if d == nil {
		return desk.Because(desk.ErrNothingToRecover, "neither an order with this id nor a charge for it is known")
	}
	return nil
}

// withoutCharge has Payments look at Stripe for an order of which no charge is known,
// which records what is there.
func (r *recovery) withoutCharge(ctx context.Context) error {
	before, err := r.standingOf(ctx, r.orderID)
	if err != nil {
		return err
	}
	if before.paid() {
		r.step(stepLooked, desk.NotNeeded, "it was settled at Stripe without a charge")
	} else {
		if r.chargeID, err = r.unrecordedCharge(ctx); err != nil {
			return err
		}
		if r.chargeID != "" {
			return r.byCharge(ctx)
		}
	}
	switch {
	case r.dry && before.paid():
		r.judge(before, before, "")
		return nil
	case r.dry:
		return r.unpaid(before)
	}
	held, err := r.Orders.AdvanceForPerson(ctx, r.orderID)
	if err != nil {
		return err
	}
	after, err := r.standingOf(ctx, r.orderID)
	if err != nil {
		return err
	}
	if !after.paid() && !held {
		return r.unpaid(after)
	}
	r.chargeID = after.ChargeID // Stripe may show it only now
	return r.finish(ctx, before, held)
}

// unpaid: Stripe was read, and shows no money for the order.
func (r *recovery) unpaid(st orderStanding) error {
	return desk.Because(desk.ErrNothingToRecover, "Stripe was asked, and does not show that this order is paid; it is "+st.State)
}

// byCharge makes good one charge, as a sweep would: by what is decided from what
// Stripe, Orders and Provisioning know of it.
func (r *recovery) byCharge(ctx context.Context) error {
	charges, err := r.Payments.Charges(ctx, []string{r.chargeID})
	switch {
	case err != nil:
		return err
	case len(charges) == 0:
		return desk.Because(desk.ErrNothingToRecover, "Stripe has no charge "+r.chargeID)
	}
	known, err := r.Store.Dispositions(ctx, []string{r.chargeID})
	if err != nil {
		return err
	}
	l := &looked{facts: disposition.Facts{Charge: charges[0]}}
	if p, ok := known[r.chargeID]; ok {
		l.previous = &p
	}
	if err := r.match(ctx, []*looked{l}); err != nil {
		return err
	}
	if r.dry && l.facts.Order == nil && l.previous != nil && l.previous.CaseKind == disposition.UnidentifiedCharge {
		l.facts.CannotAdopt = l.previous.Reason // to try again would write it down
	}
	l.decision = disposition.Decide(l.facts)
	if o := l.facts.Order; o != nil && r.orderID == "" {
		r.orderID = o.ID
	}
	if why := hopeless(l); why != "" {
		return desk.Because(desk.ErrNothingToRecover, why)
	}
	c := l.facts.Charge
	r.step(stepLooked, desk.Done, "Stripe shows charge %s of %s, paid on %s", c.ID, money.Display(c.AmountMinor, c.Currency), c.CreatedAt.UTC().Format("2006-01-02 15:04 MST"))
	var before orderStanding
	if l.facts.Order != nil {
		if before, err = r.standingOf(ctx, l.facts.Order.ID); err != nil {
			return err
		}
	}
	if needs := needsDecision(l); needs != "" {
		r.step(stepRecorded, desk.Failed, "%s", needs)
		return nil
	}
	if r.dry {
		r.judge(before, before, "")
		return nil
	}
	held, why := r.mendOne(ctx, l)
	if why != "" {
		r.judge(before, r.afterwards(ctx, before), why)
		return nil
	}
	return r.finish(ctx, before, held)
}

// mendOne takes the step that a charge needs; why says what stood in its way.
func (r *recovery) mendOne(ctx context.Context, l *looked) (held bool, why string) {
	if l.decision.Step != disposition.Tell {
		if l.facts.Order == nil {
			return false, l.decision.Reason
		}
		held, err := r.Orders.AdvanceForPerson(ctx, l.facts.Order.ID)
		if err != nil {
			return false, "Orders cannot advance it now: " + said(err)
		}
		return held, ""
	}
	restored, err := r.Payments.Restore(ctx, l.facts.Charge.ID)
	switch {
	case err != nil:
		return false, "Payments cannot write the charge down now: " + said(err)
	case restored.Missing != "":
		return false, "no order can be made of it without a guess: it has no " + restored.Missing + "; adopt the charge, and name its buyer and plan"
	case !restored.Paid:
		return false, "Stripe says that it is not paid"
	}
	var until *time.Time
	if l.previous != nil {
		until = l.previous.AccessUntil
	}
	held, err = r.Orders.AdoptForPerson(ctx, restored, until)
	switch cannot := clients.CannotAdopt(err); {
	case cannot != "":
		return false, cannot + "; adopt the charge, and name its buyer and plan"
	case err != nil:
		return false, "Orders cannot hear of it now: " + said(err)
	}
	if r.orderID == "" {
		r.orderID = restored.OrderID()
	}
	return held, ""
}

// finish judges the steps by how it stands now, and sees to the mail.
func (r *recovery) finish(ctx context.Context, before orderStanding, held bool) error {
	after, err := r.standingOf(ctx, r.orderID)
	if err != nil {
		return err
	}
	if len(r.steps) == 0 {
		r.step(stepLooked, desk.Done, "Stripe shows charge %s", r.chargeID)
	}
	if held {
		r.step(stepRecorded, desk.Failed, "the money that arrived is not what the order asked for: decide about it in its case WRONG_CHARGE")
		return nil
	}
	if after.fulfilled() && after.Access && !after.MailKnown && after.Mail.DedupeKey != "" {
		// Orders queues it too, by itself; under one key it is one mail.
		if err := r.Notifications.Send(ctx, after.Mail); err != nil {
			r.judge(before, after, said(err))
			return nil
		}
		after.MailKnown = true
	}
	r.judge(before, after, "")
	return nil
}

// afterwards is how it stands, or stood when that cannot be read.
func (r *recovery) afterwards(ctx context.Context, before orderStanding) orderStanding {
	if r.orderID == "" {
		return before
	}
	after, err := r.standingOf(ctx, r.orderID)
	if err != nil {
		return before
	}
	return after
}

// judge says of each step what became of it. why is what stood in the way.
func (r *recovery) judge(before, after orderStanding, why string) {
	judged := false
	one := func(what string, was, is bool, note, failed string) {
		switch {
		case was:
			r.step(what, desk.NotNeeded, "%s", note)
		case is:
			r.step(what, desk.Done, "%s", note)
		case r.dry:
			r.step(what, desk.WouldDo, "")
		default:
			if !judged && why != "" {
				failed = why
			}
			judged = true
			r.step(what, desk.Failed, "%s", failed)
		}
	}
	paid := func(st orderStanding) bool { return st.OrderID != "" && st.paid() }
	one(stepRecorded, paid(before), paid(after), after.named(), "Orders does not know the money")
	if after.State == "REFUNDED" {
		r.step(stepAdvanced, outcomeOf(before.State == after.State), "%s is REFUNDED: the whole amount went back, so there is no access to give", after.named())
		return
	}
	moved := after.named() + " is " + after.State
	if before.State != "" && before.State != after.State {
		moved = fmt.Sprintf("%s was %s and is %s", after.named(), before.State, after.State)
	}
	one(stepAdvanced, before.fulfilled(), after.fulfilled(), moved, "the order is "+nonEmpty(after.State, "not known"))
	until := "until " + after.AccessUntil.UTC().Format("2006-01-02")
	if after.TermOver {
		until = after.NoAccess
	}
	one(stepAccess, before.Access || before.TermOver, after.Access, until, nonEmpty(after.NoAccess, "Provisioning shows no access"))
	one(stepMail, before.MailKnown, after.MailKnown, after.Mail.Kind, "Notifications has not taken it")
}

func outcomeOf(wasSo bool) desk.Outcome {
	if wasSo {
		return desk.NotNeeded
	}
	return desk.Done
}

// hopeless says why there is nothing to recover of a charge; empty when there is.
func hopeless(l *looked) string {
	c, o := l.facts.Charge, l.facts.Order
	switch {
	case l.decision.Kind == disposition.Foreign:
		return "charge " + c.ID + " is not ours: " + c.OwnerReason
	case !c.Taken():
		return "no money has arrived by charge " + c.ID
	case c.FullyRefunded() && l.decision.Step == disposition.Nothing:
		return "all of charge " + c.ID + " went back to its owner"
	case l.decision.HasAccess() && o.Dispute == "LOST":
		return "the dispute of charge " + c.ID + " was lost, and its access withdrawn"
	}
	return ""
}

// needsDecision says what only a person can decide about a charge, and how; empty when
// there is nothing.
func needsDecision(l *looked) string {
	c, d := l.facts.Charge, l.decision
	switch {
	case c.Owner == disposition.Claimed || c.Owner == disposition.Unclear && l.facts.Order == nil:
		return d.Reason + "; adopt it, and name its buyer and plan"
	case d.Kind == disposition.Duplicate && l.facts.Order.PaidBy != "" && l.facts.Order.PaidBy != c.ID:
		return d.Reason + "; refund this one"
	case d.Kind == disposition.Duplicate && (l.facts.Order.State == "FAILED" || l.facts.Order.State == "EXPIRED"):
		return d.Reason + "; refund this one"
	case d.Kind == disposition.Quarantined:
		return d.Reason + "; a person decides, in its case"
	}
	return ""
}

func nonEmpty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// unrecordedCharge finds a charge at Stripe that names the order and that nobody here
// has recorded for it.
func (r *recovery) unrecordedCharge(ctx context.Context) (string, error) {
	d, err := r.Orders.Standing(ctx, r.orderID)
	if err != nil {
		return "", err
	}
	found, err := r.Finder.Charges(ctx, clients.ChargesBy{
		Emails:      []string{d.GetEmail(), desk.AddressKey(d.GetEmail())},
		CustomerIDs: []string{d.GetCustomerId()}, IntentIDs: []string{d.GetPaymentIntentId()},
	})
	switch {
	case err != nil:
		return "", err
	case !found.StripeRead:
		return "", desk.ErrStripeUnreachable
	}
	for _, c := range found.Charges {
		if c.OrderID == r.orderID && c.Paid && !c.RefundedInFull {
			return c.ID, nil
		}
	}
	return "", nil
}
