package service

import (
	"context"

	"github.com/google/uuid"

	"makegood.example/services/provisioning/internal/grant"
)

// FindAccount answers with the account that has an address. verified says that
// a link mailed to the address was opened; until then anybody may have typed
// it. ErrAccountNotFound when no account has it.
func (s *Service) FindAccount(ctx context.Context, email string) (id uuid.UUID, verified bool, err error) {
	return s.Store.FindAccount(ctx, grant.EmailKey(email))
}
