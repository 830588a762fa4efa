package service

import (
	"context"

	"makegood.example/services/payments/internal/store"
)

// ListEvents lists the ledger by pages.
func (s *Service) ListEvents(ctx context.Context, f store.Filter) ([]store.Entry, error) {
	return s.Store.Entries(ctx, f)
}
