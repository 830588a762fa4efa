// Package grant is the domain of Provisioning: accounts, and the terms of
// access that orders bought for them. It knows no database and no wire.
package grant

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

var (
	// ErrBuyerUnknown refuses a purchase for an account that does not exist.
	ErrBuyerUnknown = apperr.New(codes.InvalidArgument, "ACCOUNT_NOT_FOUND", "there is no account with this id")
	// ErrAccountNotFound answers a question about an account that does not exist.
	ErrAccountNotFound = apperr.New(codes.NotFound, "ACCOUNT_NOT_FOUND", "there is no account with this id")
	// ErrGrantNotFound means that the order has no grant yet.
	ErrGrantNotFound = apperr.New(codes.NotFound, "GRANT_NOT_FOUND", "this order has not been granted access")
	// ErrActivationNotFound does not tell unknown from expired or spent: whoever
	// guesses tokens learns nothing.
	ErrActivationNotFound = apperr.New(codes.NotFound, "ACTIVATION_NOT_FOUND", "this activation link is not valid any more")
)

// Account is who may use the product.
type Account struct {
	ID uuid.UUID
	// Email is as its holder typed it, trimmed; EmailKey of it is what is compared.
	Email     string
	Name      string
	CreatedAt time.Time
	// CreatedByOrder is the order that made it; uuid.Nil when none of ours did.
	CreatedByOrder uuid.UUID
}

// Found is an account, and whether one of the links to its address was opened.
type Found struct {
	ID       uuid.UUID
	Email    string
	Verified bool
}

// Grant is the access that one order bought.
type Grant struct {
	OrderID    uuid.UUID
	AccountID  uuid.UUID
	PlanID     string
	TermMonths int
	StartsAt   time.Time
	// EndsAt is the first moment without access.
	EndsAt time.Time
	// RevokedAt is the earlier of WithdrawnAt and EndedAt: since when it gives
	// no access.
	RevokedAt *time.Time
	// WithdrawnAt is when the order was withdrawn.
	WithdrawnAt *time.Time
	// EndedAt is when the subscription ended, if that was before the term did.
	EndedAt *time.Time
	// SubscriptionID is empty for a one-off.
	SubscriptionID string
	Length         Length
	// AccountCreated says whether this order created the account. Only then may
	// its buyer be let in by a link: an anonymous purchase for somebody else's
	// address extends that account but opens nothing.
	AccountCreated bool
	CreatedAt      time.Time
}

// accountNamespace makes account ids distinct from whatever else is derived
// from an order id. It must never change.
var accountNamespace = uuid.MustParse("0f6d2c1e-6a3b-5c57-9a2e-6f1f5f0b7a41")

// AccountID is the id of the account that an order creates. It is derived, so
// that granting again after the database was lost gives the same account id.
func AccountID(orderID uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(accountNamespace, orderID[:])
}

// EmailKey is the form in which addresses are compared.
func EmailKey(email string) string {
	return strings.ToLower(strings.TrimSpace(email))
}
