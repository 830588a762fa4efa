package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store/db"
)

// Recorded is what is to be kept of a charge.
type Recorded struct {
	Charge   disposition.Charge
	Decision disposition.Decision
	// RecoveredBy and AccessAt say how and when its order was completed.
	RecoveredBy string
	AccessAt    time.Time
	// AccessUntil is until when its order gives access; zero leaves what was seen before.
	AccessUntil time.Time
	// ReadAgainAt is when the charge is to be read again; zero for never.
	ReadAgainAt time.Time
}

// Previous is what was kept of a charge when it was last seen.
type Previous struct {
	Kind              disposition.Kind
	OrderID           string
	Reason            string
	Evidence          []string
	CaseKind          disposition.CaseKind
	CaseSummary       string
	DecidedAt, SeenAt time.Time
	// SeenByRun is the run that saw it last.
	SeenByRun int64
	// FullyRefunded: all of it had gone back then.
	FullyRefunded bool
	// AccessUntil is until when its order gave access, as last seen; nil when it never
	// was seen to.
	AccessUntil *time.Time
}

// SaveDispositions keeps a page of dispositions in one statement, and forgets
// those of charges that have none. What was seen later counts; seenAt is when Stripe
// was read at the latest.
func (s *Store) SaveDispositions(ctx context.Context, runID int64, seenAt, now time.Time, page []Recorded) error {
	page = slices.Clone(page)
	// In one order everywhere, so that two who write the same wait for each other.
	slices.SortFunc(page, func(a, b Recorded) int { return cmp.Compare(a.Charge.ID, b.Charge.ID) })
	p := db.UpsertDispositionsParams{SeenAt: seenAt, Now: now, RunID: runID}
	var forget []string
	for _, r := range page {
		c, d := r.Charge, r.Decision
		if d.Kind == "" {
			forget = append(forget, c.ID)
			continue
		}
		kept := disposition.Case{}
		if d.Case != nil {
			kept = *d.Case
		}
		p.ChargeIds = append(p.ChargeIds, c.ID)
		p.Dispositions = append(p.Dispositions, string(d.Kind))
		p.OrderIds = append(p.OrderIds, d.OrderID)
		p.Reasons = append(p.Reasons, storable(d.Reason))
		p.Evidence = append(p.Evidence, storable(strings.Join(d.Evidence, "\n")))
		p.Owners = append(p.Owners, string(c.Owner))
		p.Statuses = append(p.Statuses, string(c.Status))
		p.Captured = append(p.Captured, c.Captured)
		p.PaymentIntentIds = append(p.PaymentIntentIds, c.IntentID)
		p.BalanceTransactionIds = append(p.BalanceTransactionIds, c.BalanceTransactionID)
		p.AmountsMinor = append(p.AmountsMinor, c.AmountMinor)
		p.RefundedMinor = append(p.RefundedMinor, c.RefundedMinor)
		p.DisputedMinor = append(p.DisputedMinor, c.DisputedMinor())
		p.Currencies = append(p.Currencies, c.Currency)
		p.CreatedAt = append(p.CreatedAt, c.CreatedAt)
		p.RecoveredBy = append(p.RecoveredBy, r.RecoveredBy)
		p.AccessAt = append(p.AccessAt, r.AccessAt)
		p.AccessUntil = append(p.AccessUntil, r.AccessUntil)
		p.CaseKinds = append(p.CaseKinds, string(kept.Kind))
		p.CaseSummaries = append(p.CaseSummaries, storable(kept.Summary))
		p.ReadAgainAt = append(p.ReadAgainAt, r.ReadAgainAt)
	}
	if len(forget) > 0 {
		if err := s.q.DeleteDispositions(ctx, forget); err != nil {
			return mapError(err)
		}
	}
	if len(p.ChargeIds) == 0 {
		return nil
	}
	return mapError(s.q.UpsertDispositions(ctx, p))
}

// storable leaves out what PostgreSQL refuses: a reason may quote another service.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "?")
}

// Dispositions reads what was kept of charges, by their ids.
func (s *Store) Dispositions(ctx context.Context, chargeIDs []string) (map[string]Previous, error) {
	rows, err := s.q.GetDispositions(ctx, chargeIDs)
	if err != nil {
		return nil, mapError(err)
	}
	known := make(map[string]Previous, len(rows))
	for _, row := range rows {
		p := Previous{
			Kind: disposition.Kind(row.Disposition), Reason: row.Reason, Evidence: row.Evidence,
			CaseKind: disposition.CaseKind(row.CaseKind), CaseSummary: row.CaseSummary,
			DecidedAt: row.DecidedAt, SeenAt: row.SeenAt, FullyRefunded: row.FullyRefunded, AccessUntil: row.AccessUntil,
		}
		if row.SeenByRun != nil {
			p.SeenByRun = *row.SeenByRun
		}
		if row.OrderID != nil {
			p.OrderID = row.OrderID.String()
		}
		known[row.ChargeID] = p
	}
	return known, nil
}

// Became is what became of a charge.
type Became struct {
	Kind          disposition.Kind
	CaseKind      disposition.CaseKind
	CaseSummary   string
	DecidedAt     time.Time
	FullyRefunded bool
	// Disputed: the bank disputes it, or did.
	Disputed bool
}

// DispositionsOf is what became of charges, by charge, and which charges an order has.
type DispositionsOf struct {
	Charges map[string]Became
	Orders  map[string][]string
}

// Became reads what became of some charges and of all charges of some orders.
func (s *Store) Became(ctx context.Context, chargeIDs, orderIDs []string) (DispositionsOf, error) {
	p := db.ListBecameParams{ChargeIds: chargeIDs}
	for _, id := range orderIDs {
		p.OrderIds = append(p.OrderIds, uuid.MustParse(id))
	}
	rows, err := s.q.ListBecame(ctx, p)
	if err != nil {
		return DispositionsOf{}, mapError(err)
	}
	of := DispositionsOf{Charges: make(map[string]Became, len(rows)), Orders: map[string][]string{}}
	for _, row := range rows {
		of.Charges[row.ChargeID] = Became{
			Kind: disposition.Kind(row.Disposition), CaseKind: disposition.CaseKind(row.CaseKind), CaseSummary: row.CaseSummary,
			DecidedAt: row.DecidedAt, FullyRefunded: row.FullyRefunded, Disputed: row.Disputed,
		}
		of.Orders[row.OrderID.String()] = append(of.Orders[row.OrderID.String()], row.ChargeID)
	}
	return of, nil
}

// ReadAgainPosition is where a page of charges to read again ended.
type ReadAgainPosition struct {
	At time.Time
	ID string
}

// ToReadAgain lists at most limit charges that are to be read again, but for
// those that the run has seen already.
func (s *Store) ToReadAgain(ctx context.Context, runID int64, now time.Time, after ReadAgainPosition, limit int) (ids []string, last ReadAgainPosition, err error) {
	rows, err := s.q.ListToReadAgain(ctx, db.ListToReadAgainParams{Now: now, AfterAt: after.At, AfterID: after.ID, RunID: runID, PageSize: int32(limit)})
	if err != nil {
		return nil, after, mapError(err)
	}
	for _, row := range rows {
		ids = append(ids, row.ChargeID)
		if row.ReadAgainAt != nil {
			last = ReadAgainPosition{At: *row.ReadAgainAt, ID: row.ChargeID}
		}
	}
	return ids, last, nil
}

// PostponeReading sets when charges that Stripe did not show are asked for again.
func (s *Store) PostponeReading(ctx context.Context, chargeIDs []string, until time.Time) error {
	return mapError(s.q.PostponeReading(ctx, db.PostponeReadingParams{ReadAgainAt: until, ChargeIds: chargeIDs}))
}

// ReadAgain has the next run read charges again, whatever they were, and answers with
// how many of them were seen before.
func (s *Store) ReadAgain(ctx context.Context, chargeIDs []string, at time.Time) (seen int, err error) {
	n, err := s.q.ReadAgain(ctx, db.ReadAgainParams{ReadAgainAt: at, ChargeIds: chargeIDs})
	return int(n), mapError(err)
}

// NewestAccess lists the charges whose buyers got access most recently, with
// what their orders are found by.
func (s *Store) NewestAccess(ctx context.Context, limit int) ([]disposition.Charge, error) {
	rows, err := s.q.ListNewestAccess(ctx, int32(limit))
	if err != nil {
		return nil, mapError(err)
	}
	charges := make([]disposition.Charge, 0, len(rows))
	for _, row := range rows {
		if row.OrderID != nil {
			charges = append(charges, disposition.Charge{ID: row.ChargeID, IntentID: row.PaymentIntentID, OrderID: row.OrderID.String()})
		}
	}
	return charges, nil
}

// MovedSince answers which of some charges had their money moved since they were
// last seen.
func (s *Store) MovedSince(ctx context.Context, chargeIDs []string) ([]string, error) {
	ids, err := s.q.ListMovedSince(ctx, chargeIDs)
	return ids, mapError(err)
}
