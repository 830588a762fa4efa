// Package disposition is what becomes of a charge: from what Stripe, Orders and
// Provisioning know of it, one pure function decides what it is, why, and what
// is to be done. It knows no database, no wire and no clock.
package disposition

import "time"

// Kind says what a charge is; each has exactly one. The words are the contract's.
type Kind string

// The kinds, in their precedence.
const (
	// Foreign is not ours: never touched.
	Foreign Kind = "FOREIGN"
	// Quarantined needs a person.
	Quarantined Kind = "QUARANTINED"
	// Refunded went back in full.
	Refunded Kind = "REFUNDED"
	// Duplicate is a second charge for what was wanted once.
	Duplicate Kind = "DUPLICATE"
	// Recovered has an order and access, finished by something other than its
	// buyer's request.
	Recovered Kind = "RECOVERED"
	// Matched has an order and access.
	Matched Kind = "MATCHED"
	// Open is ours and not at rest.
	Open Kind = "OPEN"
)

// Status is where a charge stands at Stripe.
type Status string

// The statuses of a charge.
const (
	Succeeded Status = "SUCCEEDED"
	Pending   Status = "PENDING"
	Failed    Status = "FAILED"
)

// Owner says whose a charge is.
type Owner string

// The owners of a charge.
const (
	NotOurs Owner = "FOREIGN"
	Ours    Owner = "OURS"
	// Claimed is of the checkout that was there before, by an ownership rule.
	Claimed Owner = "CLAIMED"
	// Unclear is ours, and its hints name different people or orders.
	Unclear Owner = "UNCLEAR"
)

// Charge is a charge as Stripe shows it, and whose it is as far as Payments knows.
type Charge struct {
	ID, IntentID, CustomerID string
	Status                   Status
	// Captured: the money was taken, and not only reserved.
	Captured bool
	// AmountMinor and RefundedMinor are in minor units of Currency, ISO 4217.
	AmountMinor, RefundedMinor int64
	Currency                   string
	Disputed                   bool
	CreatedAt                  time.Time
	Owner                      Owner
	OwnerReason                string
	// OrderID is the order that it names; empty when it names none.
	OrderID string
	// Recorded: Payments has it as a paid payment.
	Recorded             bool
	BalanceTransactionID string
	// LostMinor is how much of it the bank has taken back for good; 0 when that is not
	// known.
	LostMinor int64
}

// Taken says whether the charge's money has arrived.
func (c Charge) Taken() bool { return c.Status == Succeeded && c.Captured }

// FullyRefunded says whether all of it went back.
func (c Charge) FullyRefunded() bool { return c.AmountMinor > 0 && c.RefundedMinor >= c.AmountMinor }

// DisputedMinor is how much of it may be disputed. A charge does not say when it is a
// part only; the movement of that dispute does.
func (c Charge) DisputedMinor() int64 {
	if c.Disputed {
		return c.AmountMinor
	}
	return 0
}

// Order is the order that a charge belongs to, as it stands.
type Order struct {
	ID, State string
	// PaidBy is the charge that it was paid by; empty when none is known.
	PaidBy, CustomerID         string
	AmountMinor, RefundedMinor int64
	Currency                   string
	// AmountOpen: it is paid on Stripe's page, which may have asked for another
	// amount, and has not heard for how much it was.
	AmountOpen bool
	// Dispute is OPEN, LOST, WON or empty.
	Dispute                        string
	CompletedAt, AccessWithdrawnAt time.Time // zero when not
	RecoveredBy                    string
	// DuplicateOf is an earlier order of the same person for the same, and
	// DuplicateDescription names its charge and amount, when known.
	DuplicateOf, DuplicateDescription string
}

// Grant is the access that an order gave.
type Grant struct {
	Revoked bool
	// Ended: it is revoked because its subscription ended before the term did, which
	// keeps the money.
	Ended  bool
	EndsAt time.Time
}

// Facts is all that is known of one charge.
type Facts struct {
	Charge Charge
	// Order is nil when the charge has none, Grant when the order has none.
	Order *Order
	Grant *Grant
	// CannotAdopt says why an order cannot be made from it; known after a try.
	CannotAdopt string
	// Trouble says why the last try to mend it failed; it will be tried again.
	Trouble string
	// Unmatched: which order it has could not be asked.
	Unmatched bool
	// Told: Stripe's word was just passed on, and Charge is as fresh as that.
	Told bool
	// Advanced: Orders was just asked to take every step that it can.
	Advanced bool
	// InFlight: it is so new that its buyer's own request may still be at work.
	InFlight bool
}

// LostWithdrawal says whether access that Orders had withdrawn is there again, as after
// Provisioning was restored from a backup.
func (f Facts) LostWithdrawal() bool {
	return f.Order != nil && !f.Order.AccessWithdrawnAt.IsZero() && f.Grant != nil && !f.Grant.Revoked
}

// Step is what is to be done about a charge.
type Step string

// The steps. Each leads through Payments' and Orders' own way.
const (
	Nothing Step = ""
	// Advance has Orders look at the order and take every step that it can.
	Advance Step = "advance"
	// Tell has Payments write down what it lacks and Orders hear what Stripe says;
	// an order that is lost is made again.
	Tell Step = "tell"
)

// CaseKind is a kind of case. The words are the contract's.
type CaseKind string

// The kinds of cases that a charge can need.
const (
	WrongCharge        CaseKind = "WRONG_CHARGE"
	DuplicateCharge    CaseKind = "DUPLICATE_CHARGE"
	FailedRefund       CaseKind = "FAILED_REFUND"
	UnidentifiedCharge CaseKind = "UNIDENTIFIED_CHARGE"
	UnclearEvent       CaseKind = "UNCLEAR_EVENT"
	ClaimedCharge      CaseKind = "CLAIMED_CHARGE"
	LostInPart         CaseKind = "DISPUTE"
)

// Case is what a person must be asked.
type Case struct {
	Kind             CaseKind
	Subject, Summary string
}

// Decision is what a charge is, why, and what to do.
type Decision struct {
	// Kind is empty for a charge that failed: no money, no disposition.
	Kind    Kind
	OrderID string
	Reason  string
	Step    Step
	// Case is nil when nobody needs to look.
	Case *Case
	// Again: it is not at rest, and must be read again.
	Again bool
	// Evidence is what the decision rests on, one fact a line.
	Evidence []string
}

// HasAccess says whether its buyer has what was paid for.
func (d Decision) HasAccess() bool { return d.Kind == Matched || d.Kind == Recovered }
