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
// the old tab cannot charge a second time.
func (s *Service) Pay(ctx context.Context, reference, attempt uuid.UUID, paymentMethod, clientIP string) (order.Order, error) {
	o, err := s.Store.GetByReference(ctx, reference)
	if err != nil {
		return order.Order{}, err
	}
	owner, known, err := s.Store.SubmissionOrder(ctx, attempt)
	switch {
	case err != nil:
		return order.Order{}, err
	case known && owner != o.ID:
		return order.Order{}, order.ErrKeyReused
	case known && attempt == o.AttemptID && !o.State.AtRest():
		return s.Advance(ctx, o.ID, order.ByRequest, nil)
	case known:
		return o, nil // that attempt is over; the order says how
	}
	was := o
	switch {
	case o.State == order.Failed:
		o.State, _ = o.State.After(order.Resubmitted)
	case o.WaitsForBuyer():
		// stays PENDING, with another card
	case o.State == order.Pending:
		return order.Order{}, order.ErrInProgress
	default:
		return order.Order{}, order.ErrInvalidState.With("state", string(o.State))
	}
	if err := s.mayCharge(ctx, store.Submission{OrderID: o.ID, EmailKey: o.EmailKey, ClientIP: clientIP}); err != nil {
		return order.Order{}, err
	}
	now := s.Now()
	due := now.Add(s.Settings.RescueAfter)
	o.AttemptID, o.PaymentMethod, o.SubmittedAt = attempt, paymentMethod, now
	o.PaymentStatus, o.PaymentError, o.ClientSecret, o.RedirectURL = order.Unknown, order.PaymentError{}, "", ""
	o.LastProgressAt, o.LookCount, o.NextLookAt = now, 0, &due
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Update(ctx, tx, was, o, order.ByRequest, "another card", now); err != nil {
			return err
		}
		return s.Store.InsertSubmission(ctx, tx, s.submission(o, clientIP))
	})
	if errors.Is(err, store.ErrChanged) {
		return order.Order{}, order.ErrInProgress
	}
	if err != nil {
		return order.Order{}, err
	}
	return s.Advance(ctx, o.ID, order.ByRequest, nil)
}

// Confirm says that the browser is back: Stripe is read now.
func (s *Service) Confirm(ctx context.Context, reference uuid.UUID) (order.Order, error) {
	o, err := s.Store.GetByReference(ctx, reference)
	if err != nil || o.State.Fulfilled() || o.State == order.Refunded {
		return o, err
	}
	return s.Advance(ctx, o.ID, order.ByRequest, nil)
}
