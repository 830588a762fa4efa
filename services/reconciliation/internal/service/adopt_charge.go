package service

import (
	"context"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/disposition"
)

// Buyer is for whom and for what a charge was paid, as a person names it.
type Buyer struct{ Email, Name, PlanID string }

// AdoptCharge makes an order of a charge that has none and that does not say, or not
// for certain, for whom it is; then it is fulfilled like any other. Errors:
// desk.ErrChargeNotFound; desk.ErrState when it belongs to an order, is not paid, went
// back, or is not ours; INVALID_ARGUMENT.
func (s *Service) AdoptCharge(ctx context.Context, a desk.Act, chargeID string, b Buyer) (Acted, error) {
	d := &adoption{recovery: recovery{Service: s, dry: a.DryRun, chargeID: chargeID}, buyer: b, actor: a.Actor}
	return s.act(ctx, a, deed{
		subjects: []string{chargeID},
		stands:   func(ctx context.Context) any { return d.stands(ctx) },
		do: func(ctx context.Context) (did, error) {
			err := d.run(ctx)
			return did{steps: d.steps, subjects: []string{d.orderID}}, err
		},
		show: func(ctx context.Context, out *Acted) error { s.showOrder(ctx, d.orderID, out); return nil },
	})
}

// adoption is one charge on its way to an order.
type adoption struct {
	recovery
	buyer Buyer
	actor string
}

func (d *adoption) run(ctx context.Context) error {
	d.steps = nil
	if err := d.checkBuyer(ctx); err != nil {
		return err
	}
	charges, err := d.Payments.Charges(ctx, []string{d.chargeID})
	switch {
	case err != nil:
		return err
	case len(charges) == 0:
		return desk.ErrChargeNotFound
	}
	l := &looked{facts: disposition.Facts{Charge: charges[0]}}
	if err := d.match(ctx, []*looked{l}); err != nil {
		return err
	}
	if err := d.refuse(ctx, l); err != nil {
		return err
	}
	c := l.facts.Charge
	d.step(stepLooked, desk.Done, "Stripe shows charge %s of %s, paid on %s: %s", c.ID, money.Display(c.AmountMinor, c.Currency),
		c.CreatedAt.UTC().Format("2006-01-02 15:04 MST"), c.OwnerReason)
	var before orderStanding
	if l.facts.Order != nil { // the same wish, interrupted
		if before, err = d.standingOf(ctx, l.facts.Order.ID); err != nil {
			return err
		}
	}
	if d.dry {
		d.judge(before, before, "")
		return d.closeCases(ctx, false)
	}
	restored, err := d.Payments.RestoreAs(ctx, c.ID, d.buyer.Email, d.buyer.Name, d.buyer.PlanID)
	switch {
	case err != nil:
		return err
	case restored.Missing != "" || !restored.Paid:
		return desk.Because(desk.ErrState, "Payments cannot write the charge down: it has no "+nonEmpty(restored.Missing, "money"))
	case !restored.IsFor(d.buyer.Email, d.buyer.PlanID):
		return desk.Because(desk.ErrState, "Payments has this charge for another buyer or another plan: recover it instead")
	}
	d.orderID = restored.OrderID()
	held, err := d.Orders.AdoptForPerson(ctx, restored, nil)
	if why := clients.CannotAdopt(err); why != "" {
		return desk.Because(desk.ErrState, why)
	}
	if err != nil {
		return err
	}
	if err := d.finish(ctx, before, held); err != nil {
		return err
	}
	return d.closeCases(ctx, desk.Failure(d.steps) == "")
}

// checkBuyer refuses a plan or an address that would be refused later.
func (d *adoption) checkBuyer(ctx context.Context) error {
	plan, err := d.Orders.Plan(ctx, d.buyer.PlanID)
	switch {
	case err != nil:
		return err
	case plan == nil:
		return apperr.Invalid("plan_id", "there is no such plan")
	case plan.GetRenews():
		return apperr.Invalid("plan_id", "that plan renews, and one charge is no subscription; name one that is paid once")
	}
	return d.Notifications.CheckRecipient(ctx, d.buyer.Email)
}

// refuse says why a charge is not adopted.
func (d *adoption) refuse(ctx context.Context, l *looked) error {
	c, o := l.facts.Charge, l.facts.Order
	switch {
	case c.Owner == disposition.NotOurs:
		return desk.Because(desk.ErrState, "charge "+c.ID+" is not ours, and nothing is done about it: "+c.OwnerReason+"; a rule in the ownership file may claim it")
	case !c.Taken():
		return desk.Because(desk.ErrState, "no money has arrived by charge "+c.ID)
	case c.RefundedMinor > 0:
		return desk.Because(desk.ErrState, money.Display(c.RefundedMinor, c.Currency)+" of charge "+c.ID+" went back already")
	case c.Disputed:
		return desk.Because(desk.ErrState, "charge "+c.ID+" is disputed")
	case o == nil:
		return nil
	}
	st, err := d.Orders.Standing(ctx, o.ID)
	if err != nil {
		return err
	}
	if o.PaidBy == c.ID && st.GetOrder().GetPlanId() == d.buyer.PlanID && desk.AddressKey(st.GetEmail()) == desk.AddressKey(d.buyer.Email) {
		d.orderID = o.ID
		return nil
	}
	return desk.Because(desk.ErrState, "charge "+c.ID+" belongs to order "+o.ID+": recover or refund that one")
}

// closeCases closes what waited for somebody to say whose the charge is.
func (d *adoption) closeCases(ctx context.Context, adopted bool) error {
	for _, kind := range []cases.Kind{cases.ClaimedCharge, cases.UnidentifiedCharge, cases.UnclearEvent} {
		c, open, err := d.Store.OpenCaseOf(ctx, kind, "charge/"+d.chargeID)
		if err != nil {
			return err
		}
		switch {
		case !open:
			continue
		case d.dry:
			d.step(stepCase, desk.WouldDo, "case %d", c.ID)
			continue
		case !adopted:
			continue
		}
		if _, err := d.closeCase(ctx, c, d.actor+" has said whose the charge is: it is order "+d.orderID); err != nil {
			return err
		}
		d.step(stepCase, desk.Done, "case %d", c.ID)
	}
	return nil
}
