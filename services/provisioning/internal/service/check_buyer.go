package service

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"makegood.example/services/provisioning/internal/grant"
)

// CheckBuyer says, before anyone is charged, whether a later grant for this
// account will be accepted. ErrBuyerUnknown when it will not.
func (s *Service) CheckBuyer(ctx context.Context, accountID uuid.UUID) error {
	_, err := s.Store.Account(ctx, accountID)
	if errors.Is(err, grant.ErrAccountNotFound) {
		return grant.ErrBuyerUnknown
	}
	return err
}
