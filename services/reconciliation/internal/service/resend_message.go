package service

import (
	"context"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// ResendMessage sends an order's confirmation or recovery once more; what it says, and
// its sign-in link, are made when it is sent. Errors: desk.ErrOrderNotFound, desk.ErrState
// while there is nothing to confirm.
func (s *Service) ResendMessage(ctx context.Context, a desk.Act, orderID string) (Acted, error) {
	return s.act(ctx, a, deed{
		wish:     orderID,
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
			if err != nil && step.Note == "" {
				return did{}, err // refused: nothing was sent, not even perhaps
			}
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
	step.Note = st.Mail.Kind + " to the address of the order"
	if a.DryRun {
		return step, nil
	}
	return step, s.Notifications.Send(ctx, clients.Message{DedupeKey: "order/" + orderID + "/resend/" + a.Key.String(), Kind: st.Mail.Kind, OrderID: orderID})
}
