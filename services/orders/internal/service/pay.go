package service

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
)

// Pay tries another card on an order whose last one was declined, or still
// waits for its buyer in another tab. There is one payable intent per order, so
// the old tab cannot charge a second time. The same attempt again, also at the
// same moment, is the same payment.
func (s *Service) Pay(ctx context.Context, reference, attempt uuid.UUID, paymentMethod, clientIP string) (order.Order, error) {
	for range maxSteps {
		id, err := s.resubmit(ctx, reference, attempt, paymentMethod, clientIP)
		switch {
		case errors.Is(err, store.ErrChanged):
			continue // someone else took a step; look again
		case err != nil:
			return order.Order{}, err
		default:
			return s.advanceForBuyer(ctx, id)
		}
	}
	return order.Order{}, order.ErrInProgress
}

// resubmit writes the attempt, or finds it written. Errors: store.ErrChanged.
func (s *Service) resubmit(ctx context.Context, reference, attempt uuid.UUID, paymentMethod, clientIP string) (uuid.UUID, error) {
	owner, known, err := s.Store.SubmissionOrder(ctx, attempt)
	if err != nil {
		return uuid.Nil, err
	}
	o, err := s.Store.GetByReference(ctx, reference)
	switch {
	case err != nil:
		return uuid.Nil, err
	case known && owner != o.ID:
		return uuid.Nil, order.ErrKeyReused
	case known, o.AttemptID == attempt: // the latter when it was written just now
		return o.ID, nil
	}
	was := o
	switch {
	case o.ErasedAt != nil: // whoever this is, nobody knows whom to give access and write to
		return uuid.Nil, order.ErrInvalidState.With("state", string(o.State))
	case o.Checkout == order.Hosted: // Stripe's page has its own way to another card
		return uuid.Nil, order.ErrInvalidState.With("state", string(o.State))
	case o.State == order.Failed:
		o.State, _ = o.State.After(order.Resubmitted)
	case o.WaitsForBuyer():
		// stays PENDING, with another card
	case o.State == order.Pending:
		return uuid.Nil, order.ErrInProgress
	default:
		return uuid.Nil, order.ErrInvalidState.With("state", string(o.State))
	}
	if err := s.mayCharge(ctx, store.Submission{OrderID: o.ID, EmailKey: o.EmailKey, ClientIP: clientIP}); err != nil {
		return uuid.Nil, err
	}
	now := s.Now()
	due := now.Add(s.Settings.RescueAfter)
	o.AttemptID, o.PaymentMethod, o.SubmittedAt = attempt, paymentMethod, now
	o.PaymentStatus, o.PaymentError, o.ClientSecret, o.RedirectURL = order.Unknown, order.PaymentError{}, "", ""
	o.LastProgressAt, o.LookCount, o.NextLookAt = now, 0, &due
	o.Promise(now, s.recovery(ctx))
	return o.ID, s.unlessBought(ctx, o, func(tx pgx.Tx) error {
		if err := s.Store.Update(ctx, tx, was, o, order.ByRequest, "another card", now); err != nil {
			return err
		}
		// Whoever tries another card knows of the first; were its mail taken for said, the
		// second's would never be sent.
		if err := s.Messages.Withdraw(ctx, tx, notCharged(o)); err != nil {
			return err
		}
		return s.Store.InsertSubmission(ctx, tx, s.submission(o, clientIP))
	})
}
