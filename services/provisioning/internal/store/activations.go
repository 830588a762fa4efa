package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store/db"
)

// InsertActivation keeps a new token, by its SHA-256, until expires.
func (s *Store) InsertActivation(ctx context.Context, tokenHash []byte, g grant.Grant, now, expires time.Time) error {
	return mapError(s.q.InsertActivation(ctx, db.InsertActivationParams{
		TokenHash: tokenHash, AccountID: g.AccountID, OrderID: g.OrderID, CreatedAt: now, ExpiresAt: expires,
	}), nil)
}

// IsActivated says whether one of the account's links has been opened.
func (s *Store) IsActivated(ctx context.Context, accountID uuid.UUID) (bool, error) {
	is, err := s.q.IsActivated(ctx, accountID)
	return is, mapError(err, nil)
}

// RedeemActivation spends a token and says whose it was. ErrActivationNotFound
// when it is unknown, expired or spent, or another of the account's was spent.
func (s *Store) RedeemActivation(ctx context.Context, tokenHash []byte, now time.Time) (uuid.UUID, error) {
	id, err := s.q.RedeemActivation(ctx, db.RedeemActivationParams{TokenHash: tokenHash, Now: now})
	return id, mapError(err, grant.ErrActivationNotFound)
}
