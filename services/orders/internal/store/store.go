// Package store keeps orders in PostgreSQL: typed queries, and the one place
// where a violated constraint becomes a domain error.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store/db"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/tracing"
)

// ErrChanged means that the order changed since it was read; read it again.
var ErrChanged = errors.New("the order has changed since it was read")

// Store reads and writes the schema of Orders.
type Store struct{ pool *pgxpool.Pool }

// New makes a store on a pool.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// InTx runs fn in one transaction.
func (s *Store) InTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return domainError(pg.InTx(ctx, s.pool, fn))
}

func (s *Store) q() *db.Queries { return db.New(s.pool) }

// domainError maps what PostgreSQL says to what the domain means.
func domainError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return order.ErrNotFound
	case pg.ViolatedConstraint(err) == "orders_pkey", pg.ViolatedConstraint(err) == "orders_reference_unique":
		return ErrChanged // another request wrote it first
	case pg.ViolatedConstraint(err) == "submissions_pkey":
		return order.ErrKeyReused
	default:
		return err
	}
}

// Get reads one order; whoever does so later goes on with the purchase's trace.
// Errors: order.ErrNotFound.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (order.Order, error) {
	row, err := s.q().GetOrder(ctx, id)
	tracing.Link(ctx, row.TraceParent)
	return fromRow(row), domainError(err)
}

// GetByReference reads one order. Errors: order.ErrNotFound.
func (s *Store) GetByReference(ctx context.Context, reference uuid.UUID) (order.Order, error) {
	row, err := s.q().GetOrderByReference(ctx, reference)
	tracing.Link(ctx, row.TraceParent)
	return fromRow(row), domainError(err)
}

// Submission is one time that a buyer submitted a card.
type Submission struct {
	AttemptID uuid.UUID
	OrderID   uuid.UUID
	EmailKey  string
	ClientIP  string
	At        time.Time
}

// Insert writes a new order and the beginning of its history.
// Errors: ErrChanged when it exists already.
func (s *Store) Insert(ctx context.Context, tx pgx.Tx, o order.Order, why order.Why, note string) error {
	err := db.New(tx).InsertOrder(ctx, db.InsertOrderParams{
		ID: o.ID, Reference: o.Reference, Kind: string(o.Kind), State: string(o.State), PlanID: o.PlanID, PlanName: o.PlanName,
		TermMonths: o.TermMonths, AmountMinor: o.AmountMinor, Currency: o.Currency,
		Email: o.Email, EmailKey: o.EmailKey, Name: o.Name, AccountID: o.AccountID, Checkout: string(o.Checkout),
		AllowRepeat: o.AllowRepeat, CreatedAt: o.CreatedAt, AttemptID: o.AttemptID, PaymentMethod: orNil(o.PaymentMethod),
		SubmittedAt: o.SubmittedAt, PaymentStatus: string(o.PaymentStatus), PaymentIntentID: orNil(o.PaymentIntentID),
		ChargeID: orNil(o.ChargeID), CustomerID: orNil(o.CustomerID), ChargedAt: o.ChargedAt,
		RefundedMinor: o.RefundedMinor, Dispute: orNil(string(o.Dispute)), NextLookAt: *o.NextLookAt,
		Renews: o.Renews, RenewsOrderID: o.RenewsOrderID,
		SubscriptionID: orNil(o.SubscriptionID), AccessUntil: o.AccessUntil, PeriodStart: o.PeriodStart, PeriodEnd: o.PeriodEnd, PromiseBy: o.PromiseBy,
		TraceParent: tracing.RecordedParent(ctx),
	})
	if err != nil {
		return domainError(err)
	}
	return s.appendHistory(ctx, tx, o.ID, "", o.State, why, note, o.CreatedAt)
}

// Update writes o, guarded by the state and version of was, and appends to the
// history when the state changed. Errors: ErrChanged.
func (s *Store) Update(ctx context.Context, tx pgx.Tx, was, o order.Order, why order.Why, note string, at time.Time) error {
	n, err := db.New(tx).UpdateOrder(ctx, db.UpdateOrderParams{
		ID: o.ID, WasState: string(was.State), WasVersion: was.Version,
		State: string(o.State), AmountMinor: o.AmountMinor, Currency: o.Currency, AttemptID: o.AttemptID, PaymentMethod: orNil(o.PaymentMethod), SubmittedAt: o.SubmittedAt,
		PaymentStatus: string(o.PaymentStatus), PaymentErrorCode: orNil(o.PaymentError.Code), PaymentErrorMessage: orNil(o.PaymentError.Message),
		ClientSecret: orNil(o.ClientSecret), RedirectUrl: orNil(o.RedirectURL), PaymentIntentID: orNil(o.PaymentIntentID),
		ChargeID: orNil(o.ChargeID), CustomerID: orNil(o.CustomerID), ChargedAt: o.ChargedAt,
		CompletedAt: o.CompletedAt, AccessUntil: o.AccessUntil, RecoveredBy: orNil(o.RecoveredBy),
		LastProgressAt: o.LastProgressAt, NextLookAt: o.NextLookAt, LookCount: o.LookCount, LastLookAt: o.LastLookAt,
		RefundedMinor: o.RefundedMinor, Dispute: orNil(string(o.Dispute)), AccessWithdrawnAt: o.AccessWithdrawnAt,
		SubscriptionID: orNil(o.SubscriptionID), PeriodStart: o.PeriodStart, PeriodEnd: o.PeriodEnd,
		PromiseBy: o.PromiseBy, PromiseMissedBy: o.MissedBy, PromiseMissedCount: o.MissedCount, StillWorkingAt: o.StillWorkingAt,
		RefundToken: orNil(o.RefundToken), RefundOfferedAt: o.RefundOfferedAt, RefundOfferUntil: o.RefundOfferUntil,
		RefundAskedAt: o.RefundAskedAt, RefundFailedAt: o.RefundFailedAt,
	})
	switch {
	case err != nil:
		return domainError(err)
	case n == 0:
		return ErrChanged
	case was.State == o.State && note == "":
		return nil
	}
	return s.appendHistory(ctx, tx, o.ID, was.State, o.State, why, note, at)
}

func (s *Store) appendHistory(ctx context.Context, tx pgx.Tx, id uuid.UUID, from, to order.State, why order.Why, note string, at time.Time) error {
	return db.New(tx).InsertHistory(ctx, db.InsertHistoryParams{
		OrderID: id, FromState: orNil(string(from)), ToState: string(to),
		Reason: string(why.Reason), Actor: why.Actor, Note: note, At: at,
	})
}

// History lists an order's changes, oldest first.
func (s *Store) History(ctx context.Context, id uuid.UUID) ([]order.HistoryEntry, error) {
	rows, err := s.q().ListHistory(ctx, id)
	var out []order.HistoryEntry
	for _, r := range rows {
		out = append(out, order.HistoryEntry{
			From: order.State(orEmpty(r.FromState)), To: order.State(r.ToState),
			Why: order.Why{Reason: order.Reason(r.Reason), Actor: r.Actor}, Note: r.Note, At: r.At,
		})
	}
	return out, err
}

// InsertSubmission records that the buyer submitted a card. Errors:
// order.ErrKeyReused when the attempt belongs to another submission.
func (s *Store) InsertSubmission(ctx context.Context, tx pgx.Tx, sub Submission) error {
	return domainError(db.New(tx).InsertSubmission(ctx, db.InsertSubmissionParams{
		AttemptID: sub.AttemptID, OrderID: sub.OrderID, EmailKey: sub.EmailKey, ClientIp: sub.ClientIP, At: sub.At,
	}))
}

// SubmissionOrder returns the order that an attempt belongs to, if any.
func (s *Store) SubmissionOrder(ctx context.Context, attempt uuid.UUID) (uuid.UUID, bool, error) {
	row, err := s.q().GetSubmission(ctx, attempt)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, false, nil
	}
	return row.OrderID, err == nil, err
}

// Counts are the submissions since a time.
type Counts struct{ ByOrder, ByEmail, ByIP int64 }

// CountSubmissions counts by order, address and IP.
func (s *Store) CountSubmissions(ctx context.Context, sub Submission, since time.Time) (Counts, error) {
	row, err := s.q().CountSubmissions(ctx, db.CountSubmissionsParams{OrderID: sub.OrderID, EmailKey: sub.EmailKey, ClientIp: sub.ClientIP, Since: since})
	return Counts{ByOrder: row.ByOrder, ByEmail: row.ByEmail, ByIP: row.ByIp}, err
}

// LockPurchase makes purchases of one plan by one address wait for each other
// until the transaction ends.
func (s *Store) LockPurchase(ctx context.Context, tx pgx.Tx, emailKey, planID string) error {
	return db.New(tx).LockPurchase(ctx, db.LockPurchaseParams{EmailKey: emailKey, PlanID: planID})
}

// SamePurchase is the order, other than o, by which the same was bought since, or may
// have been; uuid.Nil when there is none.
func (s *Store) SamePurchase(ctx context.Context, tx pgx.Tx, o order.Order, since time.Time) (uuid.UUID, error) {
	return orNone(db.New(tx).SamePurchase(ctx, db.SamePurchaseParams{EmailKey: o.EmailKey, PlanID: o.PlanID, ID: o.ID, Since: since}))
}

// FirstOfTwo is the earlier payment of o's buyer for the same that makes o's look like
// a mistake, and stands; uuid.Nil when there is none.
func (s *Store) FirstOfTwo(ctx context.Context, o order.Order, window time.Duration) (uuid.UUID, error) {
	return orNone(s.q().FirstOfTwo(ctx, db.FirstOfTwoParams{ID: o.ID, DuplicateWindow: interval(window)}))
}

// SlowestRecovery is how long nearly all recoveries since a time took, and how many
// there were.
func (s *Store) SlowestRecovery(ctx context.Context, since time.Time) (time.Duration, int64, error) {
	row, err := s.q().SlowestRecovery(ctx, since)
	return time.Duration(row.Seconds * float64(time.Second)), row.Recoveries, err
}

// orNone is the id that was found, or uuid.Nil.
func orNone(id uuid.UUID, err error) (uuid.UUID, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, nil
	}
	return id, err
}

func interval(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: true}
}

// HasPaidSince says whether o's buyer was found to have paid another order for
// the same since o was last submitted, and did not say that both are meant.
func (s *Store) HasPaidSince(ctx context.Context, o order.Order) (bool, error) {
	if o.AllowRepeat {
		return false, nil
	}
	return s.q().HasPaidSince(ctx, db.HasPaidSinceParams{EmailKey: o.EmailKey, PlanID: o.PlanID, ID: o.ID, Since: o.SubmittedAt})
}

// paidSinceMax bounds the charges that a case names beside the one it is about.
const paidSinceMax = 20

// PaidSince names the charges of what HasPaidSince found, the earliest first.
func (s *Store) PaidSince(ctx context.Context, o order.Order) (chargeIDs []string, err error) {
	return s.q().ListPaidSince(ctx, db.ListPaidSinceParams{EmailKey: o.EmailKey, PlanID: o.PlanID, ID: o.ID, Since: o.SubmittedAt, RowLimit: paidSinceMax})
}

// ClaimDue takes orders that are due for a look.
func (s *Store) ClaimDue(ctx context.Context, now time.Time, firstDelay, stillWorkingAfter time.Duration, limit int) ([]uuid.UUID, error) {
	return s.q().ClaimDue(ctx, db.ClaimDueParams{
		Now: now, RowLimit: int32(limit), FirstDelay: interval(firstDelay), StillWorkingAfter: interval(stillWorkingAfter),
	})
}

// CountLook records a look that did not come from a claim.
func (s *Store) CountLook(ctx context.Context, id uuid.UUID, now time.Time) error {
	return s.q().CountLook(ctx, db.CountLookParams{ID: id, Now: now})
}

// MakeDue makes everything in hand due now.
func (s *Store) MakeDue(ctx context.Context, now time.Time) (int64, error) {
	return s.q().MakeDue(ctx, now)
}

// MakeSamePurchaseDue makes o's buyer's older open orders for the same due now.
func (s *Store) MakeSamePurchaseDue(ctx context.Context, tx pgx.Tx, o order.Order, now time.Time) error {
	return db.New(tx).MakeSamePurchaseDue(ctx, db.MakeSamePurchaseDueParams{
		EmailKey: o.EmailKey, PlanID: o.PlanID, ID: o.ID, CreatedAt: o.CreatedAt, Now: now,
	})
}

// ListStuck pages through orders without progress since a time.
func (s *Store) ListStuck(ctx context.Context, since, afterTime time.Time, afterID uuid.UUID, limit int) ([]order.Order, error) {
	rows, err := s.q().ListStuck(ctx, db.ListStuckParams{Since: since, AfterTime: afterTime, AfterID: afterID, RowLimit: int32(limit)})
	var out []order.Order
	for _, r := range rows {
		out = append(out, order.Order{ID: r.ID, State: order.State(r.State), PaymentStatus: order.PaymentStatus(r.PaymentStatus), LastProgressAt: r.LastProgressAt, LookCount: r.LookCount})
	}
	return out, err
}

// ChargingPaused says whether the kill switch is on.
func (s *Store) ChargingPaused(ctx context.Context) (bool, error) { return s.q().IsChargingPaused(ctx) }

// Switch is one turn of the kill switch: by whom and why.
type Switch struct {
	Paused bool
	Actor  string
	Reason string
	At     time.Time
}

// Charging reads the last turn of the kill switch; zero when there was none.
func (s *Store) Charging(ctx context.Context) (Switch, error) {
	row, err := s.q().GetChargingSwitch(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return Switch{}, nil
	}
	return Switch{Paused: row.Paused, Actor: row.Actor, Reason: row.Reason, At: row.At}, err
}

// SetCharging records a turn of the kill switch.
func (s *Store) SetCharging(ctx context.Context, paused bool, actor, reason string, at time.Time) error {
	return s.q().InsertChargingSwitch(ctx, db.InsertChargingSwitchParams{Paused: paused, Actor: actor, Reason: reason, At: at})
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

func fromRow(r db.Order) order.Order {
	return order.Order{
		ID: r.ID, Reference: r.Reference, Kind: order.Kind(r.Kind), State: order.State(r.State), Version: r.Version,
		PlanID: r.PlanID, PlanName: r.PlanName, TermMonths: r.TermMonths, AmountMinor: r.AmountMinor, Currency: r.Currency,
		Email: r.Email, EmailKey: r.EmailKey, Name: r.Name, AccountID: r.AccountID, Checkout: order.Checkout(r.Checkout),
		AllowRepeat: r.AllowRepeat, CreatedAt: r.CreatedAt,
		AttemptID: r.AttemptID, PaymentMethod: orEmpty(r.PaymentMethod), SubmittedAt: r.SubmittedAt,
		PaymentStatus: order.PaymentStatus(r.PaymentStatus),
		PaymentError:  order.PaymentError{Code: orEmpty(r.PaymentErrorCode), Message: orEmpty(r.PaymentErrorMessage)},
		ClientSecret:  orEmpty(r.ClientSecret), RedirectURL: orEmpty(r.RedirectUrl), PaymentIntentID: orEmpty(r.PaymentIntentID),
		ChargeID: orEmpty(r.ChargeID), CustomerID: orEmpty(r.CustomerID), ChargedAt: r.ChargedAt,
		CompletedAt: r.CompletedAt, AccessUntil: r.AccessUntil, RecoveredBy: orEmpty(r.RecoveredBy),
		LastProgressAt: r.LastProgressAt, NextLookAt: r.NextLookAt, LookCount: r.LookCount, LastLookAt: r.LastLookAt,
		RefundedMinor: r.RefundedMinor, Dispute: order.Dispute(orEmpty(r.Dispute)), AccessWithdrawnAt: r.AccessWithdrawnAt,
		Renews: r.Renews, RenewsOrderID: r.RenewsOrderID,
		SubscriptionID: orEmpty(r.SubscriptionID), PeriodStart: r.PeriodStart, PeriodEnd: r.PeriodEnd,
		PromiseBy: r.PromiseBy, MissedBy: r.PromiseMissedBy, MissedCount: r.PromiseMissedCount, StillWorkingAt: r.StillWorkingAt,
		RefundToken: orEmpty(r.RefundToken), RefundOfferedAt: r.RefundOfferedAt, RefundOfferUntil: r.RefundOfferUntil,
		RefundAskedAt: r.RefundAskedAt, RefundFailedAt: r.RefundFailedAt, ErasedAt: r.ErasedAt,
	}
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
