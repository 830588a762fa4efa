package service

import (
	"context"

	"makegood.example/services/reconciliation/internal/clients"
)

// readBalance reads the movements of the Stripe balance since its cursor, for
// the integrity report. They never change.
func (s *Service) readBalance(ctx context.Context, w *sweep) error {
	return s.readOn(ctx, w, list{
		name: "balance", what: "movements of the balance", behind: s.Settings.DeepPassWindow,
		page: func(ctx context.Context, w *sweep, at clients.Window) (string, error) {
			page, next, err := s.Payments.ListBalance(ctx, at)
			if err == nil && !w.dry {
				err = s.Store.InsertBalance(ctx, page)
			}
			return next, err
		},
	})
}
