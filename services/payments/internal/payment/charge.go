package payment

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// Errors about money that is to go back.
var (
	ErrNone           = apperr.New(codes.NotFound, "PAYMENT_NOT_FOUND", "this order has no payment")
	ErrNotCharged     = apperr.New(codes.Aborted, "INVALID_STATE", "nothing was charged for this order")
	ErrDisputed       = apperr.New(codes.Aborted, "REFUND_DISPUTED", "the charge is disputed: answer the dispute, do not refund")
	ErrRefundTooLarge = apperr.New(codes.Aborted, "REFUND_TOO_LARGE", "that is more than what is left of the charge")
	ErrRefundOther    = apperr.New(codes.Aborted, "IDEMPOTENCY_KEY_REUSED", "this refund_id belongs to another refund")
	ErrOtherCharge    = apperr.New(codes.Aborted, "CHARGE_OF_ANOTHER", "this charge was not taken for this order, as far as is certain")
	ErrRefundRunning  = apperr.New(codes.Aborted, "REFUND_IN_PROGRESS", "another refund of this charge waits for Stripe's answer")
)

// Dispute is how a dispute of a charge stands.
type Dispute string

// The stages of a dispute; empty is none.
const (
	DisputeOpen Dispute = "OPEN"
	DisputeLost Dispute = "LOST"
	DisputeWon  Dispute = "WON"
)

// ChargeNow is a charge as Stripe shows it now: what went back, and what is
// disputed.
type ChargeNow struct {
	ID            string
	IntentID      string
	CustomerID    string
	InvoiceID     string
	Metadata      map[string]string
	RefundedMinor int64
	Dispute       Dispute
	// ToAnswer is of the open disputes the one that is to be answered first; zero when
	// nothing is to be answered.
	ToAnswer ToAnswer
	Refunds  []StripeRefund
}

// ToAnswer is a dispute that waits for an answer.
type ToAnswer struct {
	AmountMinor int64
	Currency    string // upper case
	// Reason in Stripe's words.
	Reason string
	By     time.Time
}

// StripeRefund is a refund as Stripe shows it.
type StripeRefund struct {
	ID          string
	Status      RefundStatus
	AmountMinor int64
	Currency    string
	CreatedAt   time.Time
	// RefundID is ours, when we asked for it.
	RefundID uuid.UUID
}

// Shows says whether Stripe made a refund that we asked for.
func (c ChargeNow) Shows(refundID uuid.UUID) bool {
	return slices.ContainsFunc(c.Refunds, func(r StripeRefund) bool { return r.RefundID == refundID })
}

// RefundStatus is where a refund stands.
type RefundStatus string

// The refund statuses.
const (
	RefundRequested RefundStatus = "REQUESTED"
	RefundPending   RefundStatus = "PENDING"
	RefundSucceeded RefundStatus = "SUCCEEDED"
	RefundFailed    RefundStatus = "FAILED"
)

// Waits says whether Stripe or the bank still has to answer.
func (s RefundStatus) Waits() bool { return s == RefundRequested || s == RefundPending }

// Refund is money on its way back.
type Refund struct {
	ID        uuid.UUID
	PaymentID uuid.UUID
	OrderID   uuid.UUID
	// ChargeID is of a second charge for the order; empty is the one that paid it.
	ChargeID    string
	StripeID    string
	AmountMinor int64
	Currency    string
	Status      RefundStatus
	Reason      string
	// Actor is who asked for it here; empty for one made at Stripe.
	Actor     string
	CreatedAt time.Time
	// CreateTry is part of the key under which Stripe is asked, since TriedAt.
	CreateTry  int32
	TriedAt    time.Time
	NextLookAt *time.Time
	LookCount  int32
}

// CreateKey is Stripe's idempotency key for making the refund.
func (r Refund) CreateKey() string { return fmt.Sprintf("refund/%s/%d", r.ID, r.CreateTry) }

// RefundIDFor is our id of a refund that was made at Stripe.
func RefundIDFor(paymentID uuid.UUID, stripeID string) uuid.UUID {
	return uuid.NewSHA1(paymentID, []byte("refund/"+stripeID))
}

// CheckRefund says whether amountMinor may go back, and how much that is when 0
// asks for all that is left.
func (p Payment) CheckRefund(amountMinor int64) (int64, error) {
	left := p.ReceivedMinor - p.RefundedMinor
	switch {
	case p.Status != Succeeded:
		return 0, ErrNotCharged
	case p.Dispute == DisputeOpen || p.Dispute == DisputeLost:
		return 0, ErrDisputed
	case left == 0 || amountMinor > left:
		return 0, ErrRefundTooLarge
	case amountMinor == 0:
		return left, nil
	default:
		return amountMinor, nil
	}
}
