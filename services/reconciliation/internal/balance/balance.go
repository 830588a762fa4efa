// Package balance is the movements of the Stripe balance, and what an integrity
// report says of them and of the charges. It knows no database and no wire.
package balance

import "time"

// Transaction is one movement of the Stripe balance.
type Transaction struct {
	ID string
	// Type is in Stripe's words.
	Type, SourceID, ChargeID string
	// In minor units of the settlement currency.
	AmountMinor, FeeMinor, NetMinor int64
	Currency, ExchangeRate          string
	CreatedAt                       time.Time
}

// Dispute is a dispute as Stripe lists it.
type Dispute struct {
	ID, ChargeID string
	// AmountMinor is in minor units of Currency, the charge's.
	AmountMinor int64
	Currency    string
	// LostMinor is what of it the bank has taken for good; 0 unless it is lost.
	LostMinor int64
	// Stands is OPEN, LOST or WON; Reason is in Stripe's words.
	Stands, Reason string
	CreatedAt      time.Time
	// AnswerBy is zero when there is nothing to answer.
	AnswerBy time.Time
	// Movements are what it took off the balance and put back there, as it says.
	Movements []Transaction
}

// categories are Stripe's types by what they are about; any other is "other".
// https://docs.stripe.com/reports/balance-transaction-types
var categories = map[string]string{
	"charge": "charges", "payment": "charges",
	"refund": "refunds", "payment_refund": "refunds", "refund_failure": "refunds", "payment_failure_refund": "refunds", "payment_reversal": "refunds",
	"stripe_fee": "fees", "stripe_fx_fee": "fees", "tax_fee": "fees", "application_fee": "fees", "application_fee_refund": "fees", "network_cost": "fees",
	"issuing_dispute": "disputes",
	"payout":          "payouts", "payout_failure": "payouts", "payout_cancel": "payouts", "payout_minimum_balance_hold": "payouts", "payout_minimum_balance_release": "payouts",
}

// Category says what a type of movement is about. Stripe books disputes as
// adjustments.
func Category(kind string, ofDispute bool) string {
	if ofDispute {
		return "disputes"
	}
	if c, ok := categories[kind]; ok {
		return c
	}
	return "other"
}

// Report says whether every charge and every movement in a window fits.
type Report struct {
	// From and Before are zero for all time.
	From, Before    time.Time
	MadeAt          time.Time
	Charges         []DispositionSum
	Balance         []Sum
	Differences     []Difference
	DifferenceCount int64
	OldestUnserved  *Unserved
	Decided         []Decided
	DecidedCount    int64
	ServiceTime     ServiceTime
	CompletedBy     []CompletedBy
	// Incomplete says why not everything in the window has been read; empty when it was.
	Incomplete string
}

// DispositionSum adds up the charges of one disposition in one currency.
type DispositionSum struct {
	Disposition, Currency                            string
	Count, AmountMinor, RefundedMinor, DisputedMinor int64
}

// Sum adds up the movements of one type in one settlement currency.
type Sum struct {
	Category, Type, Currency               string
	Count, AmountMinor, FeeMinor, NetMinor int64
}

// Difference is one thing that does not fit.
type Difference struct {
	Subject, What, Currency   string
	ExpectedMinor, FoundMinor int64
}

// Unserved is a customer who paid and has no access.
type Unserved struct {
	OrderID, ChargeID string
	ChargedAt         time.Time
}

// Decided is a charge that was kept and gave no access, as a person has decided who
// closed its case.
type Decided struct {
	OrderID, ChargeID string
	// KeptMinor is what of the charge was not given back.
	KeptMinor  int64
	Currency   string
	ChargedAt  time.Time
	CaseID     int64
	By, Reason string
	At         time.Time
}

// DayCount is how many charges of one UTC day (YYYY-MM-DD) have a disposition.
type DayCount struct {
	Date        string
	Disposition string
	Charges     int64
}

// ServiceTime is how long it took from charge to access.
type ServiceTime struct{ Orders, MeanMS, P95MS, P99MS int64 }

// CompletedBy counts the orders that one way completed; "" is the buyer's own request.
type CompletedBy struct {
	RecoveredBy string
	Orders      int64
	// SlowestMS is the longest that one of them took from charge to access.
	SlowestMS int64
}
