package service

import (
	"context"

	"makegood.example/services/provisioning/internal/grant"
)

// RedeemActivation spends an activation token and answers with the account that
// it sets up. ErrActivationNotFound when it is unknown, expired or spent.
func (s *Service) RedeemActivation(ctx context.Context, token string) (grant.Account, error) {
	id, err := s.Store.RedeemActivation(ctx, tokenHash(token), s.now())
	if err != nil {
		return grant.Account{}, err
	}
	return s.Store.Account(ctx, id)
}
