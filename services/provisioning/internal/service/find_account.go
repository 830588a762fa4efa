package service

import (
	"context"

	"github.com/google/uuid"

	"makegood.example/services/provisioning/internal/grant"
)

// FindAccount answers with the account that has an address. Verified says that
// a link mailed to the address was opened; until then anybody may have typed
// it. ErrAccountNotFound when no account has it.
func (s *Service) FindAccount(ctx context.Context, email string) (grant.Found, error) {
	return s.Store.FindAccount(ctx, grant.EmailKey(email))
}

// FindAccountByID answers the same about the account with an id.
func (s *Service) FindAccountByID(ctx context.Context, id uuid.UUID) (grant.Found, error) {
	return s.Store.FindAccountByID(ctx, id)
}
