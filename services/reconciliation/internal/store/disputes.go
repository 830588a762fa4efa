package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/balance"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store/db"
)

// SaveDisputes keeps a page of disputes with what they say that they moved.
func (s *Store) SaveDisputes(ctx context.Context, now time.Time, page []balance.Dispute) error {
	page = slices.Clone(page)
	// In one order everywhere, so that two who write the same wait for each other.
	slices.SortFunc(page, func(a, b balance.Dispute) int { return cmp.Compare(a.ID, b.ID) })
	p, m := db.UpsertDisputesParams{Now: now}, db.UpsertDisputeMovementsParams{}
	for _, d := range page {
		p.Ids = append(p.Ids, d.ID)
		p.ChargeIds = append(p.ChargeIds, d.ChargeID)
		p.AmountsMinor = append(p.AmountsMinor, d.AmountMinor)
		p.LostMinor = append(p.LostMinor, d.LostMinor)
		p.Currencies = append(p.Currencies, d.Currency)
		p.Stands = append(p.Stands, d.Stands)
		p.CreatedAt = append(p.CreatedAt, d.CreatedAt)
		for _, b := range d.Movements {
			m.Ids = append(m.Ids, b.ID)
			m.DisputeIds = append(m.DisputeIds, d.ID)
			m.AmountsMinor = append(m.AmountsMinor, b.AmountMinor)
			m.FeesMinor = append(m.FeesMinor, b.FeeMinor)
			m.NetsMinor = append(m.NetsMinor, b.NetMinor)
			m.Currencies = append(m.Currencies, b.Currency)
			m.ExchangeRates = append(m.ExchangeRates, b.ExchangeRate)
			m.CreatedAt = append(m.CreatedAt, b.CreatedAt)
		}
	}
	return mapError(pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.q.WithTx(tx).UpsertDisputes(ctx, p); err != nil || len(m.Ids) == 0 {
			return err
		}
		return s.q.WithTx(tx).UpsertDisputeMovements(ctx, m)
	}))
}

// Untold is a dispute about which nobody has been asked, as far as is known here.
type Untold struct {
	ID, ChargeID string
	// Owner of the charge is empty when it was never seen; OrderID when it has none.
	Owner   disposition.Owner
	OrderID string
}

// UntoldDisputes answers which of some disputes nobody has been asked about.
func (s *Store) UntoldDisputes(ctx context.Context, ids []string) ([]Untold, error) {
	rows, err := s.q.ListUntoldDisputes(ctx, ids)
	untold := make([]Untold, len(rows))
	for i, row := range rows {
		untold[i] = Untold{ID: row.ID, ChargeID: row.ChargeID}
		if row.Owner != nil {
			untold[i].Owner = disposition.Owner(*row.Owner)
		}
		if row.OrderID != nil {
			untold[i].OrderID = row.OrderID.String()
		}
	}
	return untold, mapError(err)
}

// NoteDisputesTold notes that nobody is to be asked about some disputes any more.
func (s *Store) NoteDisputesTold(ctx context.Context, ids []string) error {
	return mapError(s.q.NoteDisputesTold(ctx, ids))
}

// LostMinor answers how much of some charges the bank has taken back for good, in minor
// units of each charge's own currency. Of those that are not in it, that is not known.
func (s *Store) LostMinor(ctx context.Context, charges []disposition.Charge) (map[string]int64, error) {
	lost, ids, currencies := map[string]int64{}, []string(nil), map[string]string{}
	for _, c := range charges {
		ids, currencies[c.ID] = append(ids, c.ID), c.Currency
	}
	rows, err := s.q.ListLost(ctx, ids)
	for _, row := range rows {
		if row.Currency == currencies[row.ChargeID] {
			lost[row.ChargeID] = row.LostMinor
		}
	}
	return lost, mapError(err)
}

// LostInPart answers of which charges of ours some disputes took a part for good.
func (s *Store) LostInPart(ctx context.Context, disputeIDs []string) ([]string, error) {
	charges, err := s.q.ListLostInPart(ctx, disputeIDs)
	return charges, mapError(err)
}
