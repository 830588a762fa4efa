package store

import (
	"context"

	"github.com/google/uuid"

	"makegood.example/services/provisioning/internal/grant"
)

// MatchGrants reads the grants of a page of orders, and what stands for those that
// were withdrawn before, in one query. Of a grant it reads what callers are told.
func (s *Store) MatchGrants(ctx context.Context, orderIDs []uuid.UUID) ([]grant.Grant, error) {
	ids := make([]string, len(orderIDs)) // as text: pgx takes ten times as long for an array of UUIDs
	for i, id := range orderIDs {
		ids[i] = id.String()
	}
	rows, err := s.q.MatchGrants(ctx, ids)
	if err != nil {
		return nil, mapError(err, nil)
	}
	grants := make([]grant.Grant, len(rows))
	for i, r := range rows {
		if r.AccountID == uuid.Nil {
			grants[i] = grant.NeverGranted(r.OrderID, *r.WithdrawnAt)
			continue
		}
		grants[i] = grant.Grant{
			OrderID: r.OrderID, AccountID: r.AccountID, StartsAt: r.StartsAt, EndsAt: r.EndsAt, RevokedAt: r.RevokedAt,
			AccountCreated: r.AccountCreated, WithdrawnAt: r.WithdrawnAt, EndedAt: r.EndedAt,
		}
	}
	return grants, nil
}

// HistoryPosition is the id of the newest event of all grants.
func (s *Store) HistoryPosition(ctx context.Context) (int64, error) {
	position, err := s.q.HistoryPosition(ctx)
	return position, mapError(err, nil)
}
