package payment

import (
	"math/bits"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// Errors about reading Stripe's lists.
var (
	// ErrUnreachable: nothing of what was asked for counts as read.
	ErrUnreachable = apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "Stripe gave no whole answer; nothing of it counts as read")
	// ErrNoCharge: Stripe has no such charge.
	ErrNoCharge = apperr.New(codes.NotFound, "CHARGE_NOT_FOUND", "Stripe has no such charge")
)

// Window is a stretch of time by when Stripe made something: From is in it,
// Before is not.
type Window struct {
	From, Before time.Time
}

// Seconds are the window's ends as Stripe counts: whole seconds, the second one
// not included.
func (w Window) Seconds() (from, before int64) { return secondFrom(w.From), secondFrom(w.Before) }

// secondFrom is the first whole second that is not before t.
func secondFrom(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return s
}

// SeenCharge is a charge as Stripe lists it.
type SeenCharge struct {
	ID         string
	IntentID   string
	CustomerID string
	InvoiceID  string
	// Status in Stripe's words: succeeded, pending, failed.
	Status string
	// Captured: the money was taken, and not only reserved.
	Captured bool
	// AmountMinor is what was taken, or is to be, in minor units.
	AmountMinor          int64
	Currency             string // upper case
	RefundedMinor        int64
	Disputed             bool
	CreatedAt            time.Time
	Metadata             map[string]string
	BalanceTransactionID string
}

// Stripe's words for a charge.
const (
	ChargeSucceeded = "succeeded"
	ChargePending   = "pending"
	ChargeFailed    = "failed"
)

// Paid says whether the charge took money.
func (c SeenCharge) Paid() bool { return c.Status == ChargeSucceeded && c.Captured }

// Behind is what stands behind a charge: its intent's metadata and, when it paid
// an invoice, what that was for.
type Behind struct {
	IntentMetadata map[string]string
	SubscriptionID string
	// SubscriptionMetadata are the subscription's when the invoice was made.
	SubscriptionMetadata map[string]string
	// Began: the invoice is the subscription's first.
	Began bool
	// Prices and Products are those of the invoice's lines.
	Prices, Products []string
}

// FoundCharge is a charge that was looked for.
type FoundCharge struct {
	SeenCharge
	Behind Behind
	Around
}

// Around is what a charge's customer recognises it by, and what happened to it
// since.
type Around struct {
	// Last4 are the numbers by which a statement may name the card or account; a
	// wallet has a second one.
	Last4 []string
	// Email is the Stripe customer's, else the payer's own word; empty for none.
	Email string
	// Failure is why the bank refused it, in Stripe's words.
	Failure string
	Refunds []SeenRefund
	// Disputes are read only of a charge that is Disputed.
	Disputes []SeenDispute
}

// CardSearch is what a bank statement shows of a charge.
type CardSearch struct {
	Last4       string
	AmountMinor int64
	Currency    string // upper case; empty is any
	Window      Window
}

// Fits says whether a charge may be the one on the statement.
func (s CardSearch) Fits(c FoundCharge) bool {
	return slices.Contains(c.Last4, s.Last4) && c.AmountMinor == s.AmountMinor && (s.Currency == "" || s.Currency == c.Currency)
}

// SeenRefund is a refund as Stripe lists it.
type SeenRefund struct {
	ID, ChargeID, IntentID string
	Status                 RefundStatus
	AmountMinor            int64
	CreatedAt              time.Time
}

// SeenDispute is a dispute as Stripe lists it.
type SeenDispute struct {
	ID, ChargeID, IntentID string
	Stands                 Dispute
	AmountMinor            int64
	// Reason in Stripe's words.
	Reason    string
	CreatedAt time.Time
	// AnswerBy is zero when there is nothing to answer.
	AnswerBy time.Time
	// Currency is AmountMinor's, ISO 4217, upper case.
	Currency string
	// Movements are what it took off the balance and put back there.
	Movements []BalanceTransaction
}

// SeenEvent is an event as Stripe lists it.
type SeenEvent struct {
	ID, Type string
	// Raw is the event as it came.
	Raw []byte
}

// BalanceTransaction is one movement of the Stripe balance.
type BalanceTransaction struct {
	ID string
	// Type in Stripe's words.
	Type string
	// SourceID is of what; ChargeID is the charge behind it, if there is one.
	SourceID, ChargeID string
	// Minor units of the settlement currency; Net is Amount less Fee.
	AmountMinor, FeeMinor, NetMinor int64
	Currency                        string // upper case
	// ExchangeRate is a decimal; empty when nothing was converted.
	ExchangeRate string
	CreatedAt    time.Time
}

// LostMinor is what of AmountMinor the bank has taken for good. One that was won for a
// part is lost in Stripe's words, and what it put back on the balance says how much that
// was; the balance may count in another currency.
func (d SeenDispute) LostMinor() int64 {
	if d.Stands != DisputeLost {
		return 0
	}
	var taken, kept int64
	for _, b := range d.Movements {
		taken, kept = max(taken, -b.AmountMinor), kept-b.AmountMinor
	}
	if kept <= 0 || kept >= taken {
		return d.AmountMinor
	}
	// kept is less than taken, so that the quotient fits.
	high, low := bits.Mul64(uint64(d.AmountMinor), uint64(kept))
	lost, rest := bits.Div64(high, low, uint64(taken))
	if rest >= uint64(taken)-rest {
		lost++
	}
	return int64(lost)
}
