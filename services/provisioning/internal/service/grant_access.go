package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/store"
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
	// Period is exactly what was paid of a subscription; nil is a term of so many
	// months after what the account has.
	Period *grant.Stretch
	// SubscriptionID is empty for a one-off.
	SubscriptionID string
	// AccountOrderID is the order that made the buyer's account, when it was another
	// one: an account that was lost gets the id that it had.
	AccountOrderID uuid.UUID
	// Again: the order had access for Period before.
	Again bool
}

// accountOrder is the order from which a new account derives its id.
func (p Purchase) accountOrder() uuid.UUID {
	if p.AccountOrderID != uuid.Nil {
		return p.AccountOrderID
	}
	return p.OrderID
}

// errGrantedMeanwhile ends a transaction that lost against another call for the
// same order, undoing whatever it had begun.
var errGrantedMeanwhile = errors.New("granted meanwhile by another call")

// GrantAccess gives the term that one order bought. However often and however
// concurrently it is called for an order, there is one grant, and every call
// answers with it; for an order that was withdrawn before, there is none, and
// the answer has only the order and when. now says whether this call gave it. ErrBuyerUnknown when the named account
// does not exist.
func (s *Service) GrantAccess(ctx context.Context, p Purchase) (g grant.Grant, now bool, err error) {
	if g, err := s.Store.Grant(ctx, p.OrderID); !errors.Is(err, grant.ErrGrantNotFound) {
		return g, false, err
	}
	if p.AccountID == nil && grant.EmailKey(p.Email) == "" {
		return grant.Grant{}, false, apperr.Invalid("email", "is empty")
	}
	var withdrawn *time.Time
	err = s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		if err = s.Store.LockOrder(ctx, tx, p.OrderID); err != nil {
			return err
		}
		if withdrawn, err = s.Store.WithdrawnUngranted(ctx, tx, p.OrderID); err != nil || withdrawn != nil {
			return err
		}
		return s.grantTerm(ctx, tx, p)
	})
	switch {
	case err != nil && !errors.Is(err, errGrantedMeanwhile):
		return grant.Grant{}, false, err
	case withdrawn != nil:
		return grant.NeverGranted(p.OrderID, *withdrawn), false, nil
	}
	now = err == nil
	g, err = s.Store.Grant(ctx, p.OrderID)
	return g, now, err
}

func (s *Service) grantTerm(ctx context.Context, tx pgx.Tx, p Purchase) error {
	if err := s.lockSubscription(ctx, tx, &p); err != nil {
		return err
	}
	account, created, err := s.lockAccount(ctx, tx, p)
	if err != nil {
		return err
	}
	// The account is locked: nobody else extends it until this has committed.
	now := s.now()
	g := grant.Grant{
		OrderID: p.OrderID, AccountID: account.ID, PlanID: p.PlanID, TermMonths: p.TermMonths,
		SubscriptionID: p.SubscriptionID, AccountCreated: created, CreatedAt: now,
	}
	if p.Period != nil {
		g.StartsAt, g.EndsAt, g.Length = p.Period.Starts, p.Period.Ends, grant.Period
		if p.Again && p.SubscriptionID == "" {
			g.Length = grant.Time
		}
	} else {
		current, err := s.Store.CurrentGrants(ctx, tx, account.ID, now)
		if err != nil {
			return err
		}
		g.StartsAt, g.EndsAt = grant.Term(now, grant.LatestEnd(current), p.TermMonths)
		g.Length = grant.Months
	}
	// Also when the subscription is over: its last invoice can still be paid, and
	// what was charged is made good.
	switch written, err := s.Store.InsertGrant(ctx, tx, g); {
	case err != nil:
		return err
	case !written:
		return errGrantedMeanwhile
	}
	if err := s.Store.InsertEvent(ctx, tx, g.OrderID, store.Granted, now, g.Stretch()); err != nil {
		return err
	}
	return s.Store.TouchAccess(ctx, tx, g.AccountID, now)
}

// lockSubscription holds the subscription that the purchase is a term of, if
// any. All its terms go to the account of its first: a renewal must not make
// another account because the payer's address changed.
func (s *Service) lockSubscription(ctx context.Context, tx pgx.Tx, p *Purchase) error {
	if p.SubscriptionID == "" {
		return nil
	}
	if err := s.Store.LockSubscription(ctx, tx, p.SubscriptionID); err != nil {
		return err
	}
	account, err := s.Store.SubscriptionAccount(ctx, tx, p.SubscriptionID)
	if err == nil && account != nil {
		p.AccountID = account
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
		ID: grant.AccountID(p.accountOrder()), Email: strings.TrimSpace(p.Email), Name: p.Name, CreatedAt: s.now(),
	}, p.accountOrder())
	if err != nil {
		return grant.Account{}, false, err
	}
	a, err := s.Store.LockAccountByEmail(ctx, tx, p.Email)
	if errors.Is(err, grant.ErrAccountNotFound) {
		// Not inserted and not there: the same order was granted for another address.
		err = errGrantedMeanwhile
	}
	// An account that was lost may have been made again for another order's grant.
	return a, created && p.accountOrder() == p.OrderID || a.CreatedByOrder == p.OrderID, err
}
