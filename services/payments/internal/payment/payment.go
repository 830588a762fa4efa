// Package payment is the domain: what a payment and an attempt are, and what
// each word of Stripe's means for them. It knows no database and no network.
package payment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// Errors that callers compare by reason.
var (
	ErrInProgress    = apperr.New(codes.Aborted, "PAYMENT_IN_PROGRESS", "the last payment is still being checked")
	ErrMismatch      = apperr.New(codes.FailedPrecondition, "PAYMENT_MISMATCH", "this order has a payment with another amount")
	ErrAttemptID     = apperr.New(codes.Aborted, "IDEMPOTENCY_KEY_REUSED", "this attempt id was used for another order")
	ErrSignature     = apperr.New(codes.InvalidArgument, "INVALID_SIGNATURE", "the signature does not fit the body")
	ErrEventNotFound = apperr.New(codes.NotFound, "EVENT_NOT_FOUND", "the ledger has no such event")
	ErrNoBody        = apperr.New(codes.Aborted, "BODY_NOT_KEPT", "the body of this event is not kept any more, so it cannot be handled again; a lookup reads what Stripe has")
	ErrEventState    = apperr.New(codes.Aborted, "INVALID_STATE", "the event is not in a state for this")
	ErrLinked        = apperr.New(codes.Aborted, "ALREADY_LINKED", "the event's customer is known as somebody else's")
	ErrNotYet        = apperr.New(codes.Unavailable, "EVENT_NOT_HANDLED", "the event is kept but its effects are not durable yet; deliver it again")
)

// Status is where a payment stands: what Stripe last said of its intent.
type Status string

// The statuses; all but Creating are Stripe's own.
const (
	// Creating: no intent is saved, so nothing can be charged yet.
	Creating              Status = "CREATING"
	RequiresPaymentMethod Status = "REQUIRES_PAYMENT_METHOD"
	RequiresAction        Status = "REQUIRES_ACTION"
	Processing            Status = "PROCESSING"
	Succeeded             Status = "SUCCEEDED"
	Canceled              Status = "CANCELED"
	// Unknown is never stored: it is what is said while an attempt is open.
	Unknown Status = "UNKNOWN"
)

// Purchase is what Payments must know of an order.
type Purchase struct {
	OrderID     uuid.UUID
	Reference   uuid.UUID
	PlanID      string
	Description string
	AmountMinor int64
	Currency    string
	Email       string
	Name        string
	AccountID   string
	OrderedAt   time.Time
	// RenewsMonths is after how many months Stripe charges the same again: a
	// subscription; 0 is a one-off.
	RenewsMonths int32
}

// EmailKey is the address as it is compared.
func (p Purchase) EmailKey() string { return strings.ToLower(strings.TrimSpace(p.Email)) }

// Payment is one payment intent of an order, from before it exists at Stripe.
type Payment struct {
	ID          uuid.UUID
	OrderID     uuid.UUID
	Seq         int32
	Reference   uuid.UUID
	PlanID      string
	Description string
	AccountID   string
	EmailKey    string
	// AmountMinor is what the order asks for. AskedMinor is what Stripe's page or
	// invoice asked for instead; 0 while that is not known to be another amount.
	AmountMinor int64
	AskedMinor  int64
	Currency    string
	// RenewsMonths is the purchase's; RenewsOrderID is the order that began the
	// subscription, on a later term's payment.
	RenewsMonths  int32
	RenewsOrderID uuid.UUID
	// Term is what was paid for, of a subscription.
	Term   Term
	Status Status
	// CreateTry is part of the key under which the intent is created.
	CreateTry int32
	IntentID  string
	// SessionID is set when the buyer pays on a page of Stripe's.
	SessionID    string
	CustomerID   string
	ClientSecret string
	RedirectURL  string
	// ChargeID and what came with it are set once Stripe confirmed the money.
	ChargeID         string
	ReceivedMinor    int64
	ReceivedCurrency string
	ChargedAt        *time.Time
	// RefundedMinor is what went back so far; Dispute is empty when there is none.
	RefundedMinor int64
	Dispute       Dispute
	Decline       Decline
	CreatedAt     time.Time
	// AdoptedBy is the person who named its buyer and plan; empty when it says so itself.
	AdoptedBy string
}

// Decline is Stripe's refusal, with its message for the buyer.
type Decline struct {
	Code    string
	Message string
	// ChargeID is the failed charge that the refusal made, if any.
	ChargeID string
}

// Asked is the amount that the charge must have taken.
func (p Payment) Asked() int64 {
	if p.AskedMinor != 0 {
		return p.AskedMinor
	}
	return p.AmountMinor
}

// Has says in plain words what the order has to be paid by.
func (p Payment) Has() string {
	if p.IntentID == "" {
		return "had nothing to pay"
	}
	return "has the intent " + p.IntentID
}

// MayAskOther says whether Stripe's page may yet turn out to ask for another
// amount: it is known once the buyer has paid there.
func (p Payment) MayAskOther() bool { return p.SessionID != "" && p.Status != Succeeded }

// IDFor is the id of an order's payment number seq, stable over restored databases.
func IDFor(orderID uuid.UUID, seq int32) uuid.UUID {
	return uuid.NewSHA1(orderID, fmt.Appendf(nil, "payment/%d", seq))
}

// CreateKey is Stripe's idempotency key for creating the intent.
func (p Payment) CreateKey() string { return fmt.Sprintf("payment-intent/%s/%d", p.ID, p.CreateTry) }

// CancelKey is Stripe's idempotency key for canceling an intent; it carries the
// hour, because the answer to an earlier try may be out of date.
func CancelKey(intentID string, now time.Time) string {
	return fmt.Sprintf("cancel/%s/%s", intentID, now.UTC().Format("2006010215"))
}

// AttemptStatus is where an attempt stands.
type AttemptStatus string

// The attempt statuses.
const (
	// Open: the confirm may have been sent; Stripe's word is not known.
	Open AttemptStatus = "OPEN"
	// AwaitsBuyer: the buyer must act in the browser.
	AwaitsBuyer AttemptStatus = "REQUIRES_ACTION"
	// AwaitsBank: Stripe waits for the bank.
	AwaitsBank       AttemptStatus = "PROCESSING"
	AttemptSucceeded AttemptStatus = "SUCCEEDED"
	Declined         AttemptStatus = "DECLINED"
	// AttemptCanceled: it was given up before Stripe said yes.
	AttemptCanceled AttemptStatus = "CANCELED"
)

// Decided says whether nothing more can become of the attempt.
func (s AttemptStatus) Decided() bool {
	return slices.Contains([]AttemptStatus{AttemptSucceeded, Declined, AttemptCanceled}, s)
}

// Attempt is one confirm of a payment's intent; its id is the confirm's key.
type Attempt struct {
	ID        uuid.UUID
	PaymentID uuid.UUID
	OrderID   uuid.UUID
	// PaymentMethod is empty when the browser confirms, and once decided.
	PaymentMethod string
	Status        AttemptStatus
	FailedCharge  string
	CreatedAt     time.Time
	DecidedAt     *time.Time
	NextLookAt    *time.Time
	LookCount     int32
}

// Decide ends the attempt.
func (a *Attempt) Decide(status AttemptStatus, now time.Time) {
	a.Status, a.PaymentMethod, a.DecidedAt, a.NextLookAt = status, "", &now, nil
}

// Says is the one word on an order's money, given its payment and last attempt.
func (p Payment) Says(last *Attempt) Status {
	switch {
	case p.Status == Succeeded || p.Status == Canceled:
		return p.Status
	case last == nil || last.Status == Open:
		return Unknown
	case last.Status == AwaitsBank:
		return Processing
	case last.Status == AwaitsBuyer && p.Status == RequiresAction:
		return RequiresAction
	case last.Status == AttemptCanceled:
		return Unknown
	default:
		return RequiresPaymentMethod
	}
}
