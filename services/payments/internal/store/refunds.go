package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store/db"
)

// InsertRefund writes a refund before Stripe is asked for it. Errors: ErrTaken
// when its id is written already, payment.ErrRefundRunning.
func (s *Store) InsertRefund(ctx context.Context, tx pgx.Tx, r payment.Refund) error {
	return domainError(db.New(tx).InsertRefund(ctx, db.InsertRefundParams{
		ID: r.ID, PaymentID: r.PaymentID, OrderID: r.OrderID, ChargeID: orNil(r.ChargeID), AmountMinor: r.AmountMinor, Currency: r.Currency,
		Reason: r.Reason, Actor: r.Actor, Now: r.CreatedAt, NextLookAt: *r.NextLookAt,
	}))
}

// Refund reads a refund; tx may be nil. Errors: ErrNone.
func (s *Store) Refund(ctx context.Context, tx pgx.Tx, id uuid.UUID) (payment.Refund, error) {
	q := s.q()
	if tx != nil {
		q = db.New(tx)
	}
	r, err := q.GetRefund(ctx, id)
	return fromRefund(r), domainError(err)
}

// Refunds lists an order's refunds, oldest first.
func (s *Store) Refunds(ctx context.Context, orderID uuid.UUID) ([]payment.Refund, error) {
	rows, err := s.q().ListRefunds(ctx, orderID)
	var out []payment.Refund
	for _, r := range rows {
		out = append(out, fromRefund(r))
	}
	return out, err
}

// SaveStripeRefund writes a refund as Stripe shows it.
func (s *Store) SaveStripeRefund(ctx context.Context, tx pgx.Tx, r payment.Refund, now time.Time) error {
	return domainError(db.New(tx).UpsertStripeRefund(ctx, db.UpsertStripeRefundParams{
		ID: r.ID, PaymentID: r.PaymentID, OrderID: r.OrderID, ChargeID: orNil(r.ChargeID), StripeRefundID: r.StripeID, AmountMinor: r.AmountMinor,
		Currency: r.Currency, Status: string(r.Status), Reason: r.Reason, Actor: r.Actor, CreatedAt: r.CreatedAt,
		Now: now, NextLookAt: r.NextLookAt,
	}))
}

// NextRefundTry moves to the next key under which Stripe is asked for a refund.
func (s *Store) NextRefundTry(ctx context.Context, r payment.Refund, now time.Time) error {
	return s.q().NextRefundTry(ctx, db.NextRefundTryParams{ID: r.ID, Was: r.CreateTry, Now: now})
}

// RefuseRefund records Stripe's definite no to a refund.
func (s *Store) RefuseRefund(ctx context.Context, id uuid.UUID, now time.Time) error {
	return s.q().RefuseRefund(ctx, db.RefuseRefundParams{ID: id, Now: now})
}

// SaveCharge writes what Stripe showed of a charge when it was asked at readAt;
// false says that a newer answer is kept already.
func (s *Store) SaveCharge(ctx context.Context, tx pgx.Tx, paymentID uuid.UUID, c payment.ChargeNow, readAt, now time.Time) (bool, error) {
	n, err := db.New(tx).UpdateCharge(ctx, db.UpdateChargeParams{
		ID: paymentID, RefundedMinor: c.RefundedMinor, Dispute: orNil(string(c.Dispute)), ReadAt: readAt, Now: now,
	})
	return n == 1, domainError(err)
}

// ByCharge reads the payment that a charge paid. Errors: ErrNone.
func (s *Store) ByCharge(ctx context.Context, chargeID string) (payment.Payment, error) {
	r, err := s.q().PaymentByCharge(ctx, chargeID)
	return found(ctx, r, err)
}

// ClaimDueRefunds takes refunds without a final answer that are due for a look.
func (s *Store) ClaimDueRefunds(ctx context.Context, now time.Time, firstDelay time.Duration, limit int) ([]payment.Refund, error) {
	rows, err := s.q().ClaimDueRefunds(ctx, db.ClaimDueRefundsParams{
		Now: now, RowLimit: int32(limit), FirstDelay: pgtype.Interval{Microseconds: firstDelay.Microseconds(), Valid: true},
	})
	var out []payment.Refund
	for _, r := range rows {
		out = append(out, fromRefund(r))
	}
	return out, err
}

func fromRefund(r db.Refund) payment.Refund {
	return payment.Refund{
		ID: r.ID, PaymentID: r.PaymentID, OrderID: r.OrderID, ChargeID: orEmpty(r.ChargeID), StripeID: orEmpty(r.StripeRefundID), AmountMinor: r.AmountMinor,
		Currency: r.Currency, Status: payment.RefundStatus(r.Status), Reason: r.Reason, Actor: r.Actor,
		CreatedAt: r.CreatedAt, CreateTry: r.CreateTry, TriedAt: r.TriedAt, NextLookAt: r.NextLookAt, LookCount: r.LookCount,
	}
}
