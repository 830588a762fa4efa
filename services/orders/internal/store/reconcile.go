package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store/db"
)

// MatchCharges finds the orders that charges belong to, in one query; charges
// without an order are not in the answer. window is how far apart two purchases of
// the same are taken for a mistake.
func (s *Store) MatchCharges(ctx context.Context, keys []order.ChargeKeys, window time.Duration) ([]order.ChargeMatch, error) {
	n := len(keys)
	p := db.MatchChargesParams{
		ChargeIds: make([]string, n), PaymentIntentIds: make([]string, n), OrderIds: make([]string, n),
		DuplicateWindow: pgtype.Interval{Microseconds: window.Microseconds(), Valid: true},
	}
	for i, k := range keys {
		// Ids as text: pgx takes ten times as long for an array of UUIDs.
		p.ChargeIds[i], p.PaymentIntentIds[i], p.OrderIds[i] = k.ChargeID, k.PaymentIntentID, k.OrderID.String()
	}
	rows, err := s.q().MatchCharges(ctx, p)
	out := make([]order.ChargeMatch, 0, len(rows))
	for _, r := range rows {
		out = append(out, order.ChargeMatch{
			ChargeID: r.ChargeID, DuplicateOf: r.DuplicateOfOrderID,
			Order: order.Order{
				ID: r.OrderID, State: order.State(r.State), ChargeID: orEmpty(r.PaidByChargeID), AmountMinor: r.AmountMinor,
				Checkout: order.Checkout(r.Checkout), PaymentStatus: order.PaymentStatus(r.PaymentStatus),
				Currency: r.Currency, CustomerID: orEmpty(r.CustomerID), RefundedMinor: r.RefundedMinor,
				Dispute: order.Dispute(orEmpty(r.Dispute)), ChargedAt: r.ChargedAt, CompletedAt: r.CompletedAt,
				AccessWithdrawnAt: r.AccessWithdrawnAt, RecoveredBy: orEmpty(r.RecoveredBy),
			},
		})
	}
	return out, err
}

// PaidInstead finds, for orders that were given up, the order for the same that their
// buyer has paid since.
func (s *Store) PaidInstead(ctx context.Context, orders []uuid.UUID) (map[uuid.UUID]uuid.UUID, error) {
	rows, err := s.q().PaidInstead(ctx, orders)
	out := make(map[uuid.UUID]uuid.UUID, len(rows))
	for _, r := range rows {
		out[r.OrderID] = r.PaidOrderID
	}
	return out, err
}

// HistoryPosition is the id of the newest history entry of all orders.
func (s *Store) HistoryPosition(ctx context.Context) (int64, error) {
	return s.q().HistoryPosition(ctx)
}

// ListCompleted pages through the orders completed in a window that have access,
// oldest first.
func (s *Store) ListCompleted(ctx context.Context, since, before, afterTime time.Time, afterID uuid.UUID, limit int) ([]order.Order, error) {
	rows, err := s.q().ListCompleted(ctx, db.ListCompletedParams{
		Since: since, Before: before, AfterTime: afterTime, AfterID: afterID, RowLimit: int32(limit),
	})
	var out []order.Order
	for _, r := range rows {
		out = append(out, fromRow(r))
	}
	return out, err
}

// FirstCompleted is the first order of an address that was given access without
// naming an account: the one that made the account, if any of ours did.
func (s *Store) FirstCompleted(ctx context.Context, emailKey string) (*uuid.UUID, error) {
	id, err := s.q().FirstCompleted(ctx, emailKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &id, err
}
