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

// MatchCharges finds the orders that charges belong to; charges without an order are
// not in the answer. An order is found by the charge that paid it, else by the intent,
// else by what the charge names: nearly all by the first, so that a second query is for
// the others only. window is how far apart two purchases of the same are taken for a
// mistake; 0 does not look for such.
func (s *Store) MatchCharges(ctx context.Context, keys []order.ChargeKeys, window time.Duration) ([]order.ChargeMatch, error) {
	out := make([]order.ChargeMatch, 0, len(keys))
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ChargeID
	}
	out, err := s.appendPaidBy(ctx, out, ids, window)
	if err != nil || len(out) == len(keys) {
		return out, err
	}
	rest := without(keys, out)
	var p db.OrdersNamedByParams
	for _, k := range rest {
		p.ChargeIds, p.PaymentIntentIds, p.OrderIds = append(p.ChargeIds, k.ChargeID), append(p.PaymentIntentIds, k.PaymentIntentID), append(p.OrderIds, k.OrderID)
	}
	rows, err := s.q().OrdersNamedBy(ctx, p)
	var meanwhile []string // the order was paid between the two queries
	for _, r := range rows {
		if r.ChargeID == r.PaidByChargeID {
			meanwhile = append(meanwhile, r.ChargeID)
			continue
		}
		out = append(out, order.ChargeMatch{
			ChargeID: r.ChargeID, OrderID: r.OrderID, State: order.State(r.State), PaidBy: r.PaidByChargeID,
			AmountMinor: r.AmountMinor, Currency: r.Currency, CustomerID: r.CustomerID,
			AmountOpen:    amountOpen(r.Checkout, r.State, r.PaymentStatus),
			RefundedMinor: r.RefundedMinor, Dispute: order.Dispute(r.Dispute), ChargedAt: r.ChargedAt, CompletedAt: r.CompletedAt,
			AccessWithdrawnAt: r.AccessWithdrawnAt, RecoveredBy: r.RecoveredBy,
		})
	}
	if err != nil || len(meanwhile) == 0 {
		return out, err
	}
	return s.appendPaidBy(ctx, out, meanwhile, window)
}

func (s *Store) appendPaidBy(ctx context.Context, out []order.ChargeMatch, chargeIDs []string, window time.Duration) ([]order.ChargeMatch, error) {
	rows, err := s.q().OrdersPaidBy(ctx, db.OrdersPaidByParams{
		ChargeIds: chargeIDs, DuplicateWindow: pgtype.Interval{Microseconds: window.Microseconds(), Valid: true},
	})
	for _, r := range rows {
		out = append(out, order.ChargeMatch{
			ChargeID: r.ChargeID, OrderID: r.OrderID, State: order.State(r.State), PaidBy: r.ChargeID,
			AmountMinor: r.AmountMinor, Currency: r.Currency, CustomerID: r.CustomerID,
			AmountOpen:    amountOpen(r.Checkout, r.State, r.PaymentStatus),
			RefundedMinor: r.RefundedMinor, Dispute: order.Dispute(r.Dispute), ChargedAt: r.ChargedAt, CompletedAt: r.CompletedAt,
			AccessWithdrawnAt: r.AccessWithdrawnAt, RecoveredBy: r.RecoveredBy, DuplicateOf: r.DuplicateOfOrderID,
		})
	}
	return out, err
}

func amountOpen(checkout, state, paymentStatus string) bool {
	o := order.Order{Checkout: order.Checkout(checkout), State: order.State(state), PaymentStatus: order.PaymentStatus(paymentStatus)}
	return o.AmountIsOpen()
}

// without is the keys of charges that are not among the matches.
func without(keys []order.ChargeKeys, matches []order.ChargeMatch) []order.ChargeKeys {
	found := make(map[string]struct{}, len(matches))
	for _, m := range matches {
		found[m.ChargeID] = struct{}{}
	}
	var rest []order.ChargeKeys
	for _, k := range keys {
		if _, ok := found[k.ChargeID]; !ok {
			rest = append(rest, k)
		}
	}
	return rest
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
// oldest first; no order has the zero id.
func (s *Store) ListCompleted(ctx context.Context, since, before, afterTime time.Time, afterID uuid.UUID, limit int) ([]order.Order, error) {
	if afterTime.Before(since) {
		afterTime, afterID = since, uuid.Nil
	}
	rows, err := s.q().ListCompleted(ctx, db.ListCompletedParams{
		Before: before, AfterTime: afterTime, AfterID: afterID, RowLimit: int32(limit),
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
