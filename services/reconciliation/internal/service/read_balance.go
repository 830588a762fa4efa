package service

import (
	"context"
	"slices"

	"makegood.example/services/reconciliation/internal/store"

	"makegood.example/services/reconciliation/internal/clients"
)

// readBalance reads the movements of the Stripe balance since its cursor, for
// the integrity report, and the charges again whose money moved since they were
// seen: however that came about.
func (s *Service) readBalance(ctx context.Context, w *sweep) error {
	return s.readMovements(ctx, w, func(moved []string) error {
		for part := range slices.Chunk(moved, pageSize) {
			if err := s.examineByID(ctx, w, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// readForReport reads the movements for those who only add them up. It moves the
// sweep's cursor too, so that the charges whose money moved are left to the next
// run, which would not meet their movements any more.
func (s *Service) readForReport(ctx context.Context, w *sweep) error {
	return s.readMovements(ctx, w, func(moved []string) error {
		_, err := s.Store.ReadAgain(ctx, moved, s.now())
		return err
	})
}

// readMovements keeps the movements since the cursor. They never change. moved is
// told, page by page, of which charges they are that were seen before.
func (s *Service) readMovements(ctx context.Context, w *sweep, moved func(chargeIDs []string) error) error {
	return s.readOn(ctx, w, list{
		name: "balance", what: "movements of the balance", behind: s.now().Sub(store.Beginning),
		page: func(ctx context.Context, w *sweep, at clients.Window) (string, error) {
			page, next, err := s.Payments.ListBalance(ctx, at)
			if err != nil || w.dry {
				return next, err
			}
			if err := s.Store.InsertBalance(ctx, page); err != nil {
				return next, err
			}
			var charges []string
			for _, b := range page {
				if b.ChargeID != "" && b.Type != "charge" && b.Type != "payment" {
					charges = append(charges, b.ChargeID)
				}
			}
			slices.Sort(charges)
			ids, err := s.Store.MovedSince(ctx, slices.Compact(charges))
			if err != nil || len(ids) == 0 {
				return next, err
			}
			return next, moved(ids)
		},
	})
}
