// Package order is the domain: what an order is, which states it may take, and
// the rules by which the next step is decided. It knows no database and no
// network.
package order

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// Errors that callers compare by reason.
var (
	ErrKeyRequired   = apperr.New(codes.InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED", "the Idempotency-Key header must be a random UUID, minted once per purchase")
	ErrKeyReused     = apperr.New(codes.Aborted, "IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key belongs to another purchase; mint a new one for a new purchase")
	ErrDuplicate     = apperr.New(codes.Aborted, "DUPLICATE_PURCHASE", "This was already ordered with this address, so nothing more is charged now. We are sending the details to the address on file. If you want it a second time, say so and order again.")
	ErrStillOpen     = apperr.New(codes.Aborted, "DUPLICATE_PURCHASE", "A payment page for the same is still open, and it is not certain yet that it can no longer be paid. Nothing was charged now; please try again in a moment.")
	ErrNotOffered    = apperr.New(codes.PermissionDenied, "REFUND_NOT_OFFERED", "this link does not give a refund: there is no such offer, or it has run out")
	ErrCannotRefund  = apperr.New(codes.Aborted, "INVALID_STATE", "this payment cannot be refunded now: it was refunded already, or it is disputed")
	ErrInProgress    = apperr.New(codes.Aborted, "PAYMENT_IN_PROGRESS", "the last payment is still being checked; nothing was charged now")
	ErrInvalidState  = apperr.New(codes.Aborted, "INVALID_STATE", "this order cannot be paid again")
	ErrCannotAdopt   = apperr.New(codes.InvalidArgument, "CANNOT_ADOPT", "this charge does not say for whom or for what it is; a case is open")
	ErrNotStarted    = apperr.New(codes.Unavailable, "SUBSCRIPTION_NOT_STARTED", "the order that began this subscription has no access yet; tell it again")
	ErrNotFound      = apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "there is no order under this reference")
	ErrTooMany       = apperr.New(codes.ResourceExhausted, "TOO_MANY_ATTEMPTS", "too many attempts; nothing was charged now, please wait before trying again")
	ErrChargesPaused = apperr.New(codes.Unavailable, "CHARGES_PAUSED", "new payments are paused for a moment; nothing was charged")
)

// Kind is what made the order.
type Kind string

// The kinds of order.
const (
	Purchase Kind = "PURCHASE"
	Renewal  Kind = "RENEWAL"
)

// Checkout is how the payment is confirmed.
type Checkout string

// The kinds of checkout.
const (
	Server Checkout = "SERVER"
	Client Checkout = "CLIENT"
	Hosted Checkout = "HOSTED"
)

// Order is one purchase, as it was written before any charge and as it stands.
type Order struct {
	ID        uuid.UUID
	Reference uuid.UUID
	Kind      Kind
	State     State
	// Version counts changes; every change is guarded by it.
	Version    int32
	PlanID     string
	PlanName   string
	TermMonths int32
	// Renews: the plan is a subscription, charged again after each term.
	Renews bool
	// AmountMinor is in minor units of Currency, as Stripe counts them.
	AmountMinor int64
	Currency    string
	// Email is as typed; EmailKey is what is compared.
	Email     string
	EmailKey  string
	Name      string
	AccountID string
	Checkout  Checkout
	// AllowRepeat: buying the same again is meant.
	AllowRepeat bool
	CreatedAt   time.Time
	// RenewsOrderID is the order that began the subscription which a RENEWAL goes
	// on with; nil on a PURCHASE.
	RenewsOrderID *uuid.UUID

	// AttemptID names the last submission; its card is kept only while it may
	// still be charged. SubmittedAt is when the buyer was last here.
	AttemptID     uuid.UUID
	PaymentMethod string
	SubmittedAt   time.Time

	// What Payments said last.
	PaymentStatus   PaymentStatus
	PaymentError    PaymentError
	ClientSecret    string
	RedirectURL     string
	PaymentIntentID string
	ChargeID        string
	CustomerID      string
	// ChargedAt is when Stripe says the charge was made.
	ChargedAt *time.Time

	// SubscriptionID and its period say which term was paid; unset for a one-off.
	SubscriptionID string
	PeriodStart    *time.Time
	PeriodEnd      *time.Time

	// RefundedMinor is what went back so far.
	RefundedMinor int64
	Dispute       Dispute

	CompletedAt *time.Time
	AccessUntil *time.Time
	// AccessWithdrawnAt is when the access was withdrawn; nil while there is any.
	AccessWithdrawnAt *time.Time
	// RecoveredBy is what finished the order, when not the buyer's own request.
	RecoveredBy string

	// PromiseBy is by when its buyer was told that they have access, or know whether
	// money was taken; MissedBy is the last such time that was not kept.
	PromiseBy   *time.Time
	MissedBy    *time.Time
	MissedCount int32
	// StillWorkingAt is when the buyer was told by mail that we have their payment.
	StillWorkingAt *time.Time
	// RefundToken takes the refund that was offered by mail, until RefundOfferUntil;
	// empty when none was. RefundAskedAt is when its buyer took it, RefundFailedAt
	// when it turned out that it cannot be made.
	RefundToken      string
	RefundOfferedAt  *time.Time
	RefundOfferUntil *time.Time
	RefundAskedAt    *time.Time
	RefundFailedAt   *time.Time
	// ErasedAt is when its buyer's name and address were taken out; nil while they are
	// kept.
	ErasedAt *time.Time

	LastProgressAt time.Time
	NextLookAt     *time.Time
	LookCount      int32
	LastLookAt     *time.Time
}

// PaymentError is why nothing was charged, in words for the buyer.
type PaymentError struct {
	Code    string
	Message string
}

// RenewsMonths is after how many months Stripe charges the same again; 0 is never.
func (o Order) RenewsMonths() int32 {
	if o.Renews {
		return o.TermMonths
	}
	return 0
}

// Began is the order that began the subscription, if o is of one: itself, unless
// it is a renewal.
func (o Order) Began() uuid.UUID {
	if o.RenewsOrderID != nil {
		return *o.RenewsOrderID
	}
	return o.ID
}

// ReferenceShort is what people say: the first eight characters, upper case.
func (o Order) ReferenceShort() string { return strings.ToUpper(o.Reference.String()[:8]) }

// HistoryEntry is one change of state.
type HistoryEntry struct {
	From, To State
	Why      Why
	Note     string
	At       time.Time
}

// Plan is something that can be bought.
type Plan struct {
	ID         string
	Name       string
	TermMonths int32
	// Renews: charged again after each term until it is canceled. It is bought on
	// Stripe's page, which keeps the card.
	Renews bool
	// Prices by currency, in the order they are offered; the first is the default.
	Prices []Price
}

// Price is a plan's price in one currency.
type Price struct {
	Currency    string
	AmountMinor int64
}

// Reason is why Advance was called.
type Reason string

// The reasons, as history keeps them.
const (
	Request        Reason = "request"
	Rescue         Reason = "rescue"
	Webhook        Reason = "webhook"
	Reconciliation Reason = "reconciliation"
	Support        Reason = "support"
)

// Why is a reason with its actor: buyer, system or support:<name>.
type Why struct {
	Reason Reason
	Actor  string
}

// The reasons that need no name.
var (
	ByRequest        = Why{Request, "buyer"}
	ByRescue         = Why{Rescue, "system"}
	ByWebhook        = Why{Webhook, "system"}
	ByReconciliation = Why{Reconciliation, "system"}
)

// BySupport is a person's step.
func BySupport(actor string) Why { return Why{Support, "support:" + actor} }

// MayCharge says whether this reason may move money: the buyer's own request,
// and the order's look that stands in for it. All others read and record.
func (w Why) MayCharge() bool { return w.Reason == Request || w.Reason == Rescue }

// ChecksAccess says whether this reason is a doubt that what was given is still
// there.
func (w Why) ChecksAccess() bool { return w.Reason == Reconciliation || w.Reason == Support }

// RecoveredBy is what an order finished for this reason shows: nothing when its
// buyer's own request finished it.
func (w Why) RecoveredBy() string {
	switch w.Reason {
	case Request:
		return ""
	case Support:
		return w.Actor
	default:
		return string(w.Reason)
	}
}

// namespace makes ids derived from references stable over restored databases.
var namespace = uuid.MustParse("6f1d5f7e-6a3c-5d0e-9c36-0b8f2f2f6a51")

// IDFor is the order's id for a reference.
func IDFor(reference uuid.UUID) uuid.UUID { return uuid.NewSHA1(namespace, reference[:]) }

// OfferedRefund is the id of the refund that an order's buyer was offered and took.
func OfferedRefund(orderID uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(orderID, []byte("refund/offered"))
}

// FirstAttempt is the id of the attempt that places an order.
func FirstAttempt(orderID uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(orderID, []byte("attempt/1"))
}
