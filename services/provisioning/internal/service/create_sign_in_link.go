package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// SignInLink is what an order's email sends its buyer to.
type SignInLink struct {
	// Activation says that the link sets up the new account, once; otherwise it
	// is the ordinary login page.
	Activation bool
	URL        string
	// ExpiresAt is set on an activation.
	ExpiresAt time.Time
}

// CreateSignInLink makes the link for an order's email. Only the order that
// created the account gets a link that lets its reader in, and only until the
// account was set up. Every call makes a fresh token, because the token of an
// earlier call is kept nowhere. ErrGrantNotFound without a grant.
func (s *Service) CreateSignInLink(ctx context.Context, orderID uuid.UUID) (SignInLink, error) {
	g, err := s.Store.Grant(ctx, orderID)
	if err != nil {
		return SignInLink{}, err
	}
	login := SignInLink{URL: s.Settings.LoginURL}
	if !g.AccountCreated {
		return login, nil
	}
	if activated, err := s.Store.IsActivated(ctx, g.AccountID); err != nil || activated {
		return login, err
	}
	token, now := rand.Text(), s.now()
	expires := now.Add(s.Settings.ActivationLasts)
	if err := s.Store.InsertActivation(ctx, tokenHash(token), g, now, expires); err != nil {
		return SignInLink{}, err
	}
	return SignInLink{Activation: true, URL: s.Settings.AppURL + "/activate?token=" + token, ExpiresAt: expires}, nil
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
