package store

import (
	"context"
	"time"

	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/store/db"
)

// topCases is how many cases of a kind are told by name.
const topCases = 3

// ClaimIncidentLook says whether it is time to tell how the cases stand, and moves the
// next time. Of several instances, one tells.
func (s *Store) ClaimIncidentLook(ctx context.Context, now, next time.Time) ([]bool, error) {
	claimed, err := s.q.ClaimIncidentLook(ctx, db.ClaimIncidentLookParams{Now: now, Next: next})
	return claimed, mapError(err)
}

// Standings are how the open cases stand, by kind.
func (s *Store) Standings(ctx context.Context, now time.Time) ([]cases.Standing, error) {
	rows, err := s.q.ListStandings(ctx, now)
	if err != nil || len(rows) == 0 {
		return nil, mapError(err)
	}
	list, at := make([]cases.Standing, len(rows)), make(map[string]int, len(rows))
	for n, r := range rows {
		at[r.Kind] = n
		list[n] = cases.Standing{
			Kind: cases.Kind(r.Kind), Count: r.CaseCount, Snoozed: r.SnoozedCount, Claimed: r.ClaimedCount, Urgent: r.UrgentCount,
			Since: r.Since, NewestAt: r.NewestAt,
		}
	}
	top, err := s.q.ListTopCases(ctx, db.ListTopCasesParams{Now: now, Most: topCases})
	if err != nil {
		return nil, mapError(err)
	}
	var charges []string
	for _, row := range top {
		if n, ok := at[row.Kind]; ok { // or the first of its kind was opened since
			c := toCase(row)
			list[n].Top = append(list[n].Top, c)
			charges = append(charges, c.ChargeIDs()...)
		}
	}
	known, err := s.q.ListAmounts(ctx, charges)
	amounts := make(map[string]string, len(known))
	for _, a := range known {
		amounts[a.ChargeID] = money.Display(a.AmountMinor, a.Currency) + " on " + a.CreatedAt.UTC().Format("2 January, 15:04 UTC")
	}
	for n := range list {
		list[n].Amounts = amounts
	}
	return list, mapError(err)
}

// ClaimLedgerLook says whether it is time to tell how events arrive, and moves the
// next time.
func (s *Store) ClaimLedgerLook(ctx context.Context, now, next time.Time) ([]bool, error) {
	claimed, err := s.q.ClaimLedgerLook(ctx, db.ClaimLedgerLookParams{Now: now, Next: next})
	return claimed, mapError(err)
}

// AddMissed adds to how events arrive what the runs after the last delivery, and of
// the last day, found missing.
func (s *Store) AddMissed(ctx context.Context, l *cases.Ledger, now time.Time) error {
	after := now.Add(-24 * time.Hour)
	if l.DeliveredAt != nil && l.DeliveredAt.After(after) {
		after = *l.DeliveredAt
	}
	row, err := s.q.CountMissedEvents(ctx, after)
	if err == nil && row.RunCount > 0 {
		l.MissedRuns, l.MissedEvents, l.MissedSince = row.RunCount, row.EventCount, &row.Since
	}
	return mapError(err)
}
