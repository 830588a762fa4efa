package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

// Rescue is the order's own look: it runs when nothing else finished the order.
func (s *Service) Rescue(ctx context.Context, id uuid.UUID) error {
	_, err := s.Advance(ctx, id, order.ByRescue, nil)
	return errors.Join(err, s.keepWord(ctx, id, order.ByRescue), s.escalate(ctx, id))
}

// Visit advances an order because another service or a person asked.
func (s *Service) Visit(ctx context.Context, id uuid.UUID, why order.Why, news *order.Money) (order.Order, error) {
	if why.Reason == order.Reconciliation {
		if err := s.Store.CountLook(ctx, id, s.Now()); err != nil {
			return order.Order{}, err
		}
	}
	s.awaitBuyer(ctx, id)
	o, err := s.Advance(ctx, id, why, news)
	if why.Reason == order.Reconciliation {
		err = errors.Join(err, s.keepWord(ctx, id, why), s.escalate(ctx, id))
	}
	return o, err
}

// escalate makes an order that several looks could not finish, or that is paid and
// without access past what was promised, a case for a person, also when the looks
// ended in errors. They go on, hourly.
func (s *Service) escalate(ctx context.Context, id uuid.UUID) error {
	o, err := s.Store.Get(ctx, id)
	if err != nil {
		return err
	}
	// Who paid and was promised access by a time that has passed waits for a person, too.
	unserved := o.AwaitsAccess() && o.MissedBy != nil
	if o.NextLookAt == nil || o.Waits() || o.LookCount < caseAfterLooks && !unserved {
		return nil
	}
	if o.RefundRuns() {
		return s.Cases.Open(ctx, clients.FailedRefund, o.ID, fmt.Sprintf(
			"the buyer of order %s took the refund that was offered, and after %d looks it is not known to be made", o.ReferenceShort(), o.LookCount))
	}
	return s.Cases.Open(ctx, clients.StuckOrder, o.ID, fmt.Sprintf(
		"order %s is %s since %s; %d looks could not finish it", o.ReferenceShort(), o.State,
		o.LastProgressAt.UTC().Format(time.RFC3339), o.LookCount))
}

// ClaimDue takes orders that are due for a look.
func (s *Service) ClaimDue(ctx context.Context, limit int) ([]uuid.UUID, error) {
	return s.Store.ClaimDue(ctx, s.Now(), s.Settings.RescueAfter, s.Settings.StillWorkingAfter, limit)
}

// ResumeAtStart makes what was in hand when Orders last stopped due now.
func (s *Service) ResumeAtStart(ctx context.Context) error {
	n, err := s.Store.MakeDue(ctx, s.Now())
	if n > 0 {
		s.Log.InfoContext(ctx, "orders were in hand when this service last stopped; looking at them now", "count", n)
	}
	return err
}
