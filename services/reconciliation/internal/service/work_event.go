package service

import (
	"context"

	"google.golang.org/grpc/codes"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
)

// errEventNotFound is as Payments has it.
var errEventNotFound = apperr.New(codes.NotFound, "EVENT_NOT_FOUND", "there is no such event")

// LinkEvent says whose an event's Stripe customer is: an order's buyer or an account's
// holder. Errors: those of Payments.
func (s *Service) LinkEvent(ctx context.Context, a desk.Act, eventID, orderID, accountID string) (Acted, error) {
	return s.actOnEvent(ctx, a, eventID, []string{orderID}, func(ctx context.Context, _ *paymentsv1.WebhookEvent) (*paymentsv1.WebhookEvent, desk.Step, error) {
		e, err := s.Payments.LinkEvent(ctx, &paymentsv1.LinkWebhookEventRequest{
			StripeEventId: eventID, OrderId: orderID, AccountId: accountID, Reason: a.Reason, DryRun: a.DryRun,
		})
		return e, desk.Step{What: "event linked", Outcome: a.Did(), Note: "what waits for this Stripe customer is handled by itself"}, err
	})
}

// ReplayEvent handles an event again, now. Errors: those of Payments.
func (s *Service) ReplayEvent(ctx context.Context, a desk.Act, eventID string) (Acted, error) {
	return s.actOnEvent(ctx, a, eventID, nil, func(ctx context.Context, before *paymentsv1.WebhookEvent) (*paymentsv1.WebhookEvent, desk.Step, error) {
		step := desk.Step{What: "event handled"}
		if before.GetStatus() == paymentsv1.WebhookEvent_PROCESSED {
			step.Outcome, step.Note = desk.NotNeeded, "it has its effects already"
			return before, step, nil
		}
		if a.DryRun {
			step.Outcome = desk.WouldDo
			return before, step, nil
		}
		e, err := s.Payments.ReplayEvent(ctx, eventID)
		switch step.Note = e.GetLastError(); e.GetStatus() {
		case paymentsv1.WebhookEvent_PROCESSED, paymentsv1.WebhookEvent_IGNORED:
			step.Outcome = desk.Done
		default:
			step.Outcome, step.Note = desk.Failed, "it is "+e.GetStatus().String()+": "+nonEmpty(step.Note, "no reason is given")
		}
		return e, step, err
	})
}

// IgnoreEvent ends an event that needs nothing. Errors: those of Payments.
func (s *Service) IgnoreEvent(ctx context.Context, a desk.Act, eventID string) (Acted, error) {
	return s.actOnEvent(ctx, a, eventID, nil, func(ctx context.Context, before *paymentsv1.WebhookEvent) (*paymentsv1.WebhookEvent, desk.Step, error) {
		step := desk.Step{What: "event ignored", Outcome: a.Did()}
		if before.GetStatus() == paymentsv1.WebhookEvent_IGNORED {
			step.Outcome, step.Note = desk.NotNeeded, "it was so already"
		}
		e, err := s.Payments.IgnoreEvent(ctx, &paymentsv1.IgnoreWebhookEventRequest{StripeEventId: eventID, Reason: a.Reason, DryRun: a.DryRun})
		if a.DryRun && err == nil {
			e.Status = paymentsv1.WebhookEvent_IGNORED
		}
		return e, step, err
	})
}

// actOnEvent is an action about one event of the ledger.
func (s *Service) actOnEvent(ctx context.Context, a desk.Act, eventID string, also []string,
	do func(context.Context, *paymentsv1.WebhookEvent) (*paymentsv1.WebhookEvent, desk.Step, error)) (Acted, error) {
	var now *paymentsv1.WebhookEvent
	return s.act(ctx, a, deed{
		subjects: about([]string{eventID}, also),
		stands: func(ctx context.Context) any {
			e, err := s.Payments.Event(ctx, eventID)
			if err != nil || e == nil {
				return nil
			}
			return map[string]string{"status": e.GetStatus().String(), "type": e.GetType(), "customer_id": e.GetCustomerId(), "resolution_method": e.GetResolutionMethod()}
		},
		do: func(ctx context.Context) (did, error) {
			before, err := s.Payments.Event(ctx, eventID)
			switch {
			case err != nil:
				return did{}, err
			case before == nil:
				return did{}, errEventNotFound
			}
			after, step, err := do(ctx, before)
			if err != nil {
				return did{}, err
			}
			now = after
			return did{steps: []desk.Step{step}}, nil
		},
		show: func(ctx context.Context, out *Acted) (err error) {
			if now == nil { // answered from the audit
				now, err = s.Payments.Event(ctx, eventID)
			}
			out.Event = now
			return err
		},
	})
}
