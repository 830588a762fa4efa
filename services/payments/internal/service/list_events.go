package service

import (
	"context"

	"makegood.example/services/payments/internal/store"
)

// ListEvents lists the ledger by pages.
func (s *Service) ListEvents(ctx context.Context, f store.Filter) ([]store.Entry, error) {
	return s.Store.Entries(ctx, f)
}

// CountMethods counts by what the events of the last days found whom they are for.
func (s *Service) CountMethods(ctx context.Context, days int) ([]store.MethodCount, error) {
	return s.Store.CountMethods(ctx, s.Now().AddDate(0, 0, -days))
}

// LedgerHealth says whether events arrive and find whom they are for.
func (s *Service) LedgerHealth(ctx context.Context) (store.LedgerHealth, error) {
	return s.Store.LedgerHealth(ctx, s.Now())
}
