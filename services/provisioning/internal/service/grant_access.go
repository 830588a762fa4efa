package service

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/provisioning/internal/grant"
)

// Purchase is what an order asks access for.
type Purchase struct {
	OrderID uuid.UUID
	// AccountID is an existing account; nil finds or creates one by Email.
	AccountID  *uuid.UUID
	Email      string
	Name       string
	PlanID     string
	TermMonths int
}

// errGrantedMeanwhile ends a transaction that lost against another call for the
// same order, undoing whatever it had begun.
var errGrantedMeanwhile = errors.New("granted meanwhile by another call")

// GrantAccess gives the term that one order bought. However often and however
// concurrently it is called for an order, there is one grant, and every call
// answers with it. ErrBuyerUnknown when the named account does not exist.
func (s *Service) GrantAccess(ctx context.Context, p Purchase) (grant.Grant, error) {
	if g, err := s.Store.Grant(ctx, p.OrderID); !errors.Is(err, grant.ErrGrantNotFound) {
		return g, err
	}
	if p.AccountID == nil && grant.EmailKey(p.Email) == "" {
		return grant.Grant{}, apperr.Invalid("email", "is empty")
	}
	err := s.Store.InTx(ctx, func(tx pgx.Tx) error { return s.grantTerm(ctx, tx, p) })
	if err != nil && !errors.Is(err, errGrantedMeanwhile) {
		return grant.Grant{}, err
	}
	return s.Store.Grant(ctx, p.OrderID)
}

func (s *Service) grantTerm(ctx context.Context, tx pgx.Tx, p Purchase) error {
	account, created, err := s.lockAccount(ctx, tx, p)
	if err != nil {
		return err
	}
	// The account is locked: nobody else extends it until this has committed.
	currentEnd, err := s.Store.LatestEndInTx(ctx, tx, account.ID)
	if err != nil {
		return err
	}
	now := s.now()
	starts, ends := grant.Term(now, currentEnd, p.TermMonths)
	written, err := s.Store.InsertGrant(ctx, tx, grant.Grant{
		OrderID: p.OrderID, AccountID: account.ID, PlanID: p.PlanID, TermMonths: p.TermMonths,
		StartsAt: starts, EndsAt: ends, AccountCreated: created, CreatedAt: now,
	})
	if err == nil && !written {
		return errGrantedMeanwhile
	}
	return err
}

// lockAccount finds the buyer's account and locks it, or creates it, and says
// which. An account that exists keeps its email and name: whoever pays for it
// does not thereby hold it.
func (s *Service) lockAccount(ctx context.Context, tx pgx.Tx, p Purchase) (grant.Account, bool, error) {
	if p.AccountID != nil {
		a, err := s.Store.LockAccount(ctx, tx, *p.AccountID)
		if errors.Is(err, grant.ErrAccountNotFound) {
			err = grant.ErrBuyerUnknown
		}
		return a, false, err
	}
	// Inserting first needs no lock of its own: of several calls for a new
	// address one inserts, and the others wait for it and then find its row.
	created, err := s.Store.InsertAccount(ctx, tx, grant.Account{
		ID: grant.AccountID(p.OrderID), Email: strings.TrimSpace(p.Email), Name: p.Name, CreatedAt: s.now(),
	}, p.OrderID)
	if err != nil {
		return grant.Account{}, false, err
	}
	a, err := s.Store.LockAccountByEmail(ctx, tx, p.Email)
	if errors.Is(err, grant.ErrAccountNotFound) {
		// Not inserted and not there: the same order was granted for another address.
		err = errGrantedMeanwhile
	}
	return a, created, err
}
