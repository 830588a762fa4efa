package service

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// CheckAccess says whether the account may use the product now, and until when
// it has paid; until is nil when nothing was ever granted, or all was withdrawn.
// ErrAccountNotFound without the account.
func (s *Service) CheckAccess(ctx context.Context, accountID uuid.UUID) (active bool, until *time.Time, err error) {
	if _, err := s.Store.Account(ctx, accountID); err != nil {
		return false, nil, err
	}
	if active, err = s.Store.HasAccess(ctx, accountID, s.now()); err != nil {
		return false, nil, err
	}
	until, err = s.Store.LatestEnd(ctx, accountID)
	return active, until, err
}
