package service

import (
	"context"
	"math"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// resentRecently is how long a confirmation that a colleague has sent again is not sent
// once more.
const resentRecently = 2 * time.Minute

// ResendMessage sends an order's confirmation or recovery once more; what it says, and
// its sign-in link, are made when it is sent. Errors: desk.ErrOrderNotFound, desk.ErrState
// while there is nothing to confirm.
func (s *Service) ResendMessage(ctx context.Context, a desk.Act, orderID string) (Acted, error) {
	return s.act(ctx, a, deed{
		subjects: []string{orderID},
		stands: func(ctx context.Context) any {
			st, err := s.standingOf(ctx, orderID)
			if err != nil {
				return nil
			}
			return st
		},
		do: func(ctx context.Context) (did, error) {
			step, err := s.resend(ctx, a, orderID)
			return did{steps: []desk.Step{step}}, err
		},
		show: func(ctx context.Context, out *Acted) error { s.showOrder(ctx, orderID, out); return nil },
	})
}

func (s *Service) resend(ctx context.Context, a desk.Act, orderID string) (desk.Step, error) {
	step := desk.Step{What: stepMail, Outcome: a.Did()}
	st, err := s.standingOf(ctx, orderID)
	switch {
	case err != nil:
		return step, err
	case !st.fulfilled():
		return step, desk.Because(desk.ErrState, "the order is "+st.State+": there is nothing to confirm")
	case !st.Access:
		return step, desk.Because(desk.ErrState, nonEmpty(st.NoAccess, "Provisioning shows no access")+", and the confirmation would say that there is")
	case st.Mail.DedupeKey == "":
		return step, desk.Because(desk.ErrState, "Orders names no confirmation for this order")
	}
	if by, err := s.resentBy(ctx, a, orderID); err != nil || by != "" {
		step.Outcome, step.Note = desk.NotNeeded, by+" has sent it again a moment ago"
		return step, err
	}
	step.Note = st.Mail.Kind + " to the address of the order"
	if a.DryRun {
		return step, nil
	}
	return step, s.Notifications.Send(ctx, clients.Message{DedupeKey: "order/" + orderID + "/resend/" + a.Key.String(), Kind: st.Mail.Kind, OrderID: orderID})
}

// resentBy is who else has sent it again just now; empty when nobody has.
func (s *Service) resentBy(ctx context.Context, a desk.Act, orderID string) (string, error) {
	list, err := s.Store.ListAudit(ctx, "", orderID, math.MaxInt64, pageSizeOfAudit)
	for _, e := range list {
		if e.Asked.Act.Action == a.Action && e.Asked.Act.Key != a.Key && e.Ended.What == desk.AuditDone &&
			s.now().Sub(e.Ended.At) < resentRecently && desk.AnyDone(e.Ended.Steps) {
			return e.Asked.Act.Actor, nil
		}
	}
	return "", err
}

// pageSizeOfAudit is how far back it is read who else has acted.
const pageSizeOfAudit = 20
