package service

import (
	"context"

	"github.com/google/uuid"

	"makegood.example/services/provisioning/internal/grant"
)

// MatchGrants answers for a page of orders with the grants, and the marks of what
// was withdrawn before it was granted, that there are. position is how far the
// history goes: it only grows, unless the database was restored.
func (s *Service) MatchGrants(ctx context.Context, orderIDs []uuid.UUID) (grants []grant.Grant, position int64, err error) {
	if position, err = s.Store.HistoryPosition(ctx); err != nil {
		return nil, 0, err
	}
	grants, err = s.Store.MatchGrants(ctx, orderIDs)
	return grants, position, err
}
