package service

import (
	"context"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/provisioning/internal/grant"
)

// CheckAccess says whether the account may use the product now. If so, until is
// the end of its access without a gap; otherwise when the last of it ended, nil
// when nothing was ever granted, or all was withdrawn. ErrAccountNotFound
// without the account.
func (s *Service) CheckAccess(ctx context.Context, accountID uuid.UUID) (active bool, until *time.Time, err error) {
	held, err := s.Store.Held(ctx, accountID)
	if err != nil {
		return false, nil, err
	}
	active, until = grant.Access(s.now(), held, s.Settings.GracePeriod)
	return active, until, nil
}
