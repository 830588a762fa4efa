package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/balance"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store/db"
)

// InsertBalance keeps a page of movements; those that are known stay as they are.
func (s *Store) InsertBalance(ctx context.Context, page []balance.Transaction) error {
	if len(page) == 0 {
		return nil
	}
	var p db.InsertBalanceTransactionsParams
	for _, b := range page {
		p.Ids = append(p.Ids, b.ID)
		p.Types = append(p.Types, b.Type)
		p.SourceIds = append(p.SourceIds, b.SourceID)
		p.ChargeIds = append(p.ChargeIds, b.ChargeID)
		p.AmountsMinor = append(p.AmountsMinor, b.AmountMinor)
		p.FeesMinor = append(p.FeesMinor, b.FeeMinor)
		p.NetsMinor = append(p.NetsMinor, b.NetMinor)
		p.Currencies = append(p.Currencies, b.Currency)
		p.ExchangeRates = append(p.ExchangeRates, b.ExchangeRate)
		p.CreatedAt = append(p.CreatedAt, b.CreatedAt)
	}
	return mapError(s.q.InsertBalanceTransactions(ctx, p))
}

// Bounds is how far things were read when a report is made.
type Bounds struct {
	// From and Before are the report's window.
	From, Before time.Time
	// Now is when it is made.
	Now time.Time
	// ChargesBefore and BalanceBefore are the cursors.
	ChargesBefore, BalanceBefore time.Time
	// ChargesFrom is from when on all charges have been read.
	ChargesFrom time.Time
	// OpenSince is when the latest charge was made that must be at rest by now.
	OpenSince time.Time
	// PassFrom and PassStartedAt are of the deep pass that finished last.
	PassFrom, PassStartedAt time.Time
}

// Report adds up what is kept, in SQL, and lists at most limit differences. All of it is
// of one moment, whatever a sweep writes meanwhile.
func (s *Store) Report(ctx context.Context, b Bounds, limit int) (r balance.Report, err error) {
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		r, err = (&Store{pool: s.pool, q: s.q.WithTx(tx)}).report(ctx, b, limit)
		return err
	})
	return r, err
}

func (s *Store) report(ctx context.Context, b Bounds, limit int) (r balance.Report, err error) {
	sums, err := s.q.SumDispositions(ctx, db.SumDispositionsParams{FromAt: b.From, BeforeAt: b.Before})
	if err != nil {
		return r, mapError(err)
	}
	for _, row := range sums {
		r.Charges = append(r.Charges, balance.DispositionSum{Disposition: row.Disposition, Currency: row.Currency,
			Count: row.ChargeCount, AmountMinor: row.AmountMinor, RefundedMinor: row.RefundedMinor, DisputedMinor: row.DisputedMinor})
	}
	movements, err := s.q.SumBalance(ctx, db.SumBalanceParams{FromAt: b.From, BeforeAt: b.Before})
	if err != nil {
		return r, mapError(err)
	}
	for _, row := range movements {
		r.Balance = append(r.Balance, balance.Sum{Category: balance.Category(row.Type, row.OfDispute), Type: row.Type, Currency: row.Currency,
			Count: row.TransactionCount, AmountMinor: row.AmountMinor, FeeMinor: row.FeeMinor, NetMinor: row.NetMinor})
	}
	if err := s.Differences(ctx, b, limit, &r); err != nil {
		return r, err
	}
	oldest, err := s.q.GetOldestUnserved(ctx, db.GetOldestUnservedParams{FromAt: b.From, BeforeAt: b.Before})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err != nil:
		return r, mapError(err)
	default:
		r.OldestUnserved = &balance.Unserved{ChargeID: oldest.ChargeID, ChargedAt: oldest.CreatedAt}
		if oldest.OrderID != nil {
			r.OldestUnserved.OrderID = oldest.OrderID.String()
		}
	}
	if err := s.decided(ctx, b, limit, &r); err != nil {
		return r, err
	}
	took, err := s.q.GetServiceTime(ctx, db.GetServiceTimeParams{FromAt: b.From, BeforeAt: b.Before})
	if err != nil {
		return r, mapError(err)
	}
	r.ServiceTime = balance.ServiceTime{Orders: took.OrderCount, MeanMS: took.MeanMs, P95MS: took.P95Ms, P99MS: took.P99Ms}
	by, err := s.q.CountCompletedBy(ctx, db.CountCompletedByParams{FromAt: b.From, BeforeAt: b.Before})
	for _, row := range by {
		r.CompletedBy = append(r.CompletedBy, balance.CompletedBy{RecoveredBy: row.RecoveredBy, Orders: row.OrderCount, SlowestMS: row.SlowestMs})
	}
	return r, mapError(err)
}

// decided lists at most limit charges about which a person has decided.
func (s *Store) decided(ctx context.Context, b Bounds, limit int, r *balance.Report) error {
	rows, err := s.q.ListDecidedCharges(ctx, db.ListDecidedChargesParams{FromAt: b.From, BeforeAt: b.Before, MaxRows: int32(limit)})
	for _, row := range rows {
		d := balance.Decided{ChargeID: row.ChargeID, KeptMinor: row.KeptMinor, Currency: row.Currency, ChargedAt: row.CreatedAt,
			CaseID: row.CaseID, By: row.DecidedBy, Reason: row.Decision, At: row.DecidedAt}
		if row.OrderID != nil {
			d.OrderID = row.OrderID.String()
		}
		r.Decided, r.DecidedCount = append(r.Decided, d), row.DecidedCount
	}
	return mapError(err)
}

// Differences lists at most limit of what does not fit, and counts all.
func (s *Store) Differences(ctx context.Context, b Bounds, limit int, r *balance.Report) error {
	rows, err := s.q.FindDifferences(ctx, db.FindDifferencesParams{
		FromAt: b.From, BeforeAt: b.Before, BalanceReadBefore: b.BalanceBefore, ChargesReadBefore: b.ChargesBefore, ChargesReadFrom: b.ChargesFrom,
		OpenSince: b.OpenSince, PassFrom: b.PassFrom, PassStartedAt: b.PassStartedAt, NotInCents: money.NotInCents(), MaxRows: int32(limit),
	})
	for _, row := range rows {
		r.Differences = append(r.Differences, balance.Difference{Subject: row.Subject, What: row.What, Currency: row.Currency,
			ExpectedMinor: row.ExpectedMinor, FoundMinor: row.FoundMinor})
		r.DifferenceCount = row.DifferenceCount
	}
	return mapError(err)
}

// OrderedPosition is where a page of charges with orders ended.
type OrderedPosition struct {
	At time.Time
	ID string
}

// OrderedCharges lists at most limit charges of a window whose orders hold them,
// as they were last seen, so that it can be seen whether the orders still agree.
func (s *Store) OrderedCharges(ctx context.Context, from, before time.Time, after OrderedPosition, limit int) ([]disposition.Charge, OrderedPosition, error) {
	if after.At.Before(from) {
		after = OrderedPosition{At: from} // no charge has an empty id
	}
	rows, err := s.q.ListOrdersOfCharges(ctx, db.ListOrdersOfChargesParams{BeforeAt: before, AfterAt: after.At, AfterID: after.ID, PageSize: int32(limit)})
	if err != nil {
		return nil, after, mapError(err)
	}
	charges := make([]disposition.Charge, 0, len(rows))
	for _, row := range rows {
		charges = append(charges, disposition.Charge{ID: row.ChargeID, IntentID: row.PaymentIntentID, OrderID: row.OrderID.String(),
			AmountMinor: row.AmountMinor, RefundedMinor: row.RefundedMinor, Currency: row.Currency, CreatedAt: row.CreatedAt})
		after = OrderedPosition{At: row.CreatedAt, ID: row.ChargeID}
	}
	return charges, after, nil
}

// ChargesByDay counts the charges since a time by UTC day and disposition, oldest
// day first.
func (s *Store) ChargesByDay(ctx context.Context, from time.Time) ([]balance.DayCount, error) {
	rows, err := s.q.CountChargesByDay(ctx, from)
	if err != nil {
		return nil, mapError(err)
	}
	counts := make([]balance.DayCount, len(rows))
	for i, row := range rows {
		counts[i] = balance.DayCount{Date: row.Day, Disposition: row.Disposition, Charges: row.ChargeCount}
	}
	return counts, nil
}
