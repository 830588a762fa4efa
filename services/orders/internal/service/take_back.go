package service

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/platform/apperr"
)

// errNoLongerSo: what Payments says when asked is not about the charge of its news.
var errNoLongerSo = apperr.New(codes.Unavailable, "PAYMENT_UNCLEAR", "Payments does not confirm its own news; tell it again")

// follow takes over what became of a paid order's charge: money that went back,
// a dispute. changed says that the order must be looked at again.
func (s *Service) follow(ctx context.Context, o order.Order, m order.Money, why order.Why) (changed bool, err error) {
	switch {
	case m.Status != order.Succeeded:
		return false, nil
	case m.ChargeID != o.ChargeID && m.WentBack():
		return false, nil // a second payment that its owner has back
	case m.ChargeID != o.ChargeID:
		return false, s.Cases.Open(ctx, clients.DuplicateCharge, o.ID,
			fmt.Sprintf("order %s (%s) was paid by %s; %s arrived too", o.ReferenceShort(), o.State, o.ChargeID, m.ChargeID))
	case m.RefundedMinor == o.RefundedMinor && m.Dispute == o.Dispute:
		return false, nil
	}
	// News can be overtaken on its way here. Asked after the order was read, and
	// written only if nobody else wrote it since, the answer cannot be.
	if m, err = s.Payments.Look(ctx, o); err != nil {
		return false, err
	}
	switch {
	case m.Status != order.Succeeded || m.ChargeID != o.ChargeID:
		return false, errNoLongerSo
	case m.RefundedMinor == o.RefundedMinor && m.Dispute == o.Dispute:
		return false, nil
	}
	was, now := o, s.Now()
	o.RefundedMinor, o.Dispute = m.RefundedMinor, m.Dispute
	note := fmt.Sprintf("%s of %s went back", order.Display(o.RefundedMinor, o.Currency), order.Display(o.AmountMinor, o.Currency))
	if m.Dispute != was.Dispute {
		note = "dispute: " + string(m.Dispute)
	}
	s.dueIfWrong(&o)
	kind, err := s.refundKind(ctx, o)
	if err != nil {
		return false, err
	}
	return true, s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Update(ctx, tx, was, o, why, note, now); err != nil || o.RefundedMinor <= was.RefundedMinor {
			return err
		}
		return s.Messages.Queue(ctx, tx, clients.Message{
			DedupeKey: fmt.Sprintf("order/%s/refund/%d", o.ID, o.RefundedMinor), Kind: kind, OrderID: o.ID,
		})
	})
}

// refundKind is how a refund is told: of two payments for the same, the second one's
// is another thing to read, unless its buyer asked for it.
func (s *Service) refundKind(ctx context.Context, o order.Order) (string, error) {
	if !o.FullyRefunded() || o.RefundAskedAt != nil {
		return "REFUND", nil
	}
	first, err := s.Store.FirstOfTwo(ctx, o, duplicateWindow)
	if err != nil || first == uuid.Nil {
		return "REFUND", err
	}
	return "DUPLICATE_REFUNDED", nil
}

// refunded ends an order whose whole amount went back.
func (s *Service) refunded(ctx context.Context, o order.Order, why order.Why) (more bool, err error) {
	was, now := o, s.Now()
	o.State, _ = o.State.After(order.Refund)
	o.LastProgressAt, o.LookCount, o.NextLookAt = now, 0, nil
	s.dueIfWrong(&o)
	return true, s.Store.InTx(ctx, func(tx pgx.Tx) error {
		return s.Store.Update(ctx, tx, was, o, why, "the whole amount went back", now)
	})
}

// rightAccess makes the access what the money has it to be: withdrawn, or
// restored. An order that was never granted leaves a mark with Provisioning, so
// that it never will be.
func (s *Service) rightAccess(ctx context.Context, o order.Order, why order.Why) (more bool, err error) {
	was, now := o, s.Now()
	note := "access withdrawn"
	if o.LosesAccess() {
		if err := s.Provisioning.WithdrawAccess(ctx, o); err != nil {
			s.Log.WarnContext(ctx, "access is not withdrawn yet; the order stays due", "order_id", o.ID, "error", err)
			return false, nil
		}
		if err := s.afterTermWentBack(ctx, o); err != nil {
			s.Log.WarnContext(ctx, "what becomes of the subscription is not settled yet; the order stays due", "order_id", o.ID, "error", err)
			return false, nil
		}
		o.AccessWithdrawnAt = &now
	} else {
		grant, granted, err := s.Provisioning.RestoreAccess(ctx, o)
		if err != nil {
			s.Log.WarnContext(ctx, "access is not restored yet; the order stays due", "order_id", o.ID, "error", err)
			return false, nil
		}
		o.AccessWithdrawnAt = nil
		note = "the access may be granted"
		if granted {
			o.AccessUntil = &grant.EndsAt
			note = "access restored until " + grant.EndsAt.UTC().Format("2006-01-02")
		}
	}
	o.LastProgressAt, o.LookCount = now, 0
	s.dueIfWrong(&o)
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error { return s.Store.Update(ctx, tx, was, o, why, note, now) })
	return err == nil && !o.State.AtRest(), err
}

// afterTermWentBack sees to the subscription of a term whose access was withdrawn:
// until when there is access is asked for at once, and when the term that runs was
// given back while Stripe goes on to charge the next, a person decides.
func (s *Service) afterTermWentBack(ctx context.Context, o order.Order) error {
	if o.SubscriptionID == "" {
		return nil
	}
	if err := s.retellSubscription(ctx, o.Began()); err != nil {
		return err
	}
	sub, err := s.Store.SubscriptionOf(ctx, o.Began())
	switch {
	case err != nil || !o.PeriodEnd.After(s.Now()):
		return err
	case sub != nil && (!sub.Renews || sub.Status == order.Ended):
		return nil
	}
	// Before anything was heard of it, it is one that goes on: nobody would ask again. If
	// it does not, the case closes by itself.
	return s.Cases.Open(ctx, clients.Subscription, o.ID, fmt.Sprintf(
		"order %s paid the term of subscription %s that runs until %s, and the money went back: there is no access, and Stripe charges the next term by itself. Cancel the subscription at Stripe, or let it run if its customer wants that",
		o.ReferenceShort(), o.SubscriptionID, o.PeriodEnd.UTC().Format("2006-01-02")))
}

// dueIfWrong gives an order that is otherwise at rest a look while its access
// is not what it should be, and none when it is.
func (s *Service) dueIfWrong(o *order.Order) {
	if !o.State.AtRest() {
		return
	}
	if o.AccessIsRight() && !o.RefundRuns() {
		o.NextLookAt = nil
		return
	}
	due := s.Now().Add(s.Settings.RescueAfter)
	o.NextLookAt = &due
}
