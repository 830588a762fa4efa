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
	return s.readMovements(ctx, w, func(chargeIDs []string) error {
		moved, err := s.Store.MovedSince(ctx, chargeIDs)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(moved, pageSize) {
			if err := s.examineByID(ctx, w, part); err != nil {
				return err
			}
		}
		return nil
	})
}

// readMovements keeps the movements since the cursor. They never change. moved is
// told of which charges they are, page by page; nil asks nobody.
func (s *Service) readMovements(ctx context.Context, w *sweep, moved func(chargeIDs []string) error) error {
	return s.readOn(ctx, w, list{
		name: "balance", what: "movements of the balance", behind: s.now().Sub(store.Beginning),
		page: func(ctx context.Context, w *sweep, at clients.Window) (string, error) {
			page, next, err := s.Payments.ListBalance(ctx, at)
			if err != nil || w.dry {
				return next, err
			}
			if err := s.Store.InsertBalance(ctx, page); err != nil || moved == nil {
				return next, err
			}
			var charges []string
			for _, b := range page {
				if b.ChargeID != "" && b.Type != "charge" && b.Type != "payment" {
					charges = append(charges, b.ChargeID)
				}
			}
			slices.Sort(charges)
			return next, moved(slices.Compact(charges))
		},
	})
}
