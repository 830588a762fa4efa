package service

import (
	"context"
	"errors"
	"slices"
	"strings"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// aboutCustomer is the subject of what is asked for an address, which itself is in no
// audit; what was found of it is named beside.
const aboutCustomer = "customer"

// recoverCustomer makes good everything that was paid with an address: each charge of
// ours that was not given back, and each order that may have been paid.
func (s *Service) recoverCustomer(ctx context.Context, a desk.Act, email string) (Acted, error) {
	var orderID string
	return s.act(ctx, a, deed{
		subjects: []string{aboutCustomer},
		do: func(ctx context.Context) (d did, err error) {
			targets, cut, err := s.toRecoverOf(ctx, email)
			if err != nil {
				return did{}, err
			}
			for _, t := range targets {
				r := &recovery{Service: s, dry: a.DryRun, orderID: t.OrderID, chargeID: t.ChargeID}
				err := r.run(ctx)
				d.subjects = append(d.subjects, r.orderID, r.chargeID)
				if errors.Is(err, desk.ErrNothingToRecover) {
					continue
				}
				if err != nil {
					r.step(stepRecorded, desk.Failed, "%s", said(err))
				}
				orderID = r.orderID
				for _, step := range r.steps {
					if len(targets) > 1 {
						step.What += ", " + nonEmpty(t.Named, r.chargeID)
					}
					d.steps = append(d.steps, step)
				}
			}
			if len(cut) > 0 {
				d.steps = append(d.steps, desk.Step{What: stepLooked, Outcome: desk.Failed, Note: "not read: " + strings.Join(cut, ", ") + "; recover these by order or charge"})
			}
			if len(d.steps) == 0 {
				return d, desk.Because(desk.ErrNothingToRecover, "Stripe was read, and shows nothing of ours that was paid with this address and not given back")
			}
			return d, nil
		},
		show: func(ctx context.Context, out *Acted) error { s.showOrder(ctx, orderID, out); return nil },
	})
}

// namedTarget is one of several things to make good.
type namedTarget struct {
	Target
	// Named is what people call it.
	Named string
}

// toRecoverOf finds what was paid with an address, or may have been; cut names what of
// it there is too much of to be read at once. Errors: desk.ErrStripeUnreachable, for
// then it is not known.
func (s *Service) toRecoverOf(ctx context.Context, email string) (targets []namedTarget, cut []string, err error) {
	f := s.find(ctx, desk.Query{Kind: desk.ByEmail, Text: email})
	p, _, err := f.gather(ctx)
	switch {
	case err != nil:
		return nil, nil, err
	case !p.StripeRead:
		return nil, nil, desk.ErrStripeUnreachable
	case slices.Contains(f.unread, desk.UnreadOrders):
		return nil, nil, errPeersAway
	}
	for _, what := range f.unread {
		if what == desk.CutOrders || what == desk.CutCharges {
			cut = append(cut, what)
		}
	}
	byCharge := map[string]bool{}
	for _, c := range f.charges {
		if c.Owner != "FOREIGN" && c.Paid && !c.RefundedInFull {
			targets = append(targets, namedTarget{Target{ChargeID: c.ID}, "charge " + c.ID})
			byCharge[c.OrderID] = true
		}
	}
	for _, o := range f.orders {
		if !byCharge[o.ID] && mayBePaid(o) {
			targets = append(targets, namedTarget{Target{OrderID: o.ID}, "order " + o.ReferenceShort})
		}
	}
	return targets, cut, nil
}

func mayBePaid(o clients.FoundOrder) bool {
	switch o.State {
	case "PENDING", "CHARGED", "ORPHANED", "COMPLETE", "RECOVERED":
		return true
	}
	return false
}
