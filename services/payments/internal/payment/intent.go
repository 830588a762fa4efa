package payment

import "time"

// Intent is a payment intent as Stripe shows it.
type Intent struct {
	ID string
	// Status in Stripe's words, lower case.
	Status      string
	CustomerID  string
	AmountMinor int64
	// ReceivedMinor is what Stripe took; 0 until it succeeded.
	ReceivedMinor int64
	Currency      string // upper case
	Livemode      bool
	Metadata      map[string]string
	ClientSecret  string
	RedirectURL   string
	// AskedMinor is what Stripe's page or invoice asked for, when it was read with
	// one; 0 when it was not.
	AskedMinor int64
	// InvoiceID is set when it pays an invoice, and Term when it was read with it.
	InvoiceID string
	Term      Term
	// Charge is the latest charge, whole only when the intent was read with it.
	Charge Charge
	// Error is why the last confirm was refused; empty code if it was not.
	Error Decline
	// LastWord says that a refusal ends the attempt: it is a bank's, after days, or
	// the page on which another card could be tried is finished.
	LastWord  bool
	CreatedAt time.Time
	// SucceededAt is when Stripe reported the success, where an event says so;
	// zero when the intent was only read.
	SucceededAt time.Time
}

// NothingDue stands for the intent where Stripe asked for nothing, because of a
// coupon or a credit: it succeeded at a time, without an intent or a charge.
func NothingDue(customerID, currency string, at time.Time) Intent {
	return Intent{Status: StripeSucceeded, CustomerID: customerID, Currency: currency, SucceededAt: at}
}

// IsNothingDue says whether Stripe asked for nothing, and considers that settled.
func (in Intent) IsNothingDue() bool { return in.ID == "" && in.Status == StripeSucceeded }

// Charge is a charge as Stripe shows it.
type Charge struct {
	ID        string
	CreatedAt time.Time // Stripe counts whole seconds
	// Email is from the billing details or the receipt; often empty.
	Email string
	// Changed: some of it went back, or it is disputed.
	Changed bool
}

// Stripe's words for an intent.
const (
	StripeSucceeded      = "succeeded"
	StripeCanceled       = "canceled"
	StripeProcessing     = "processing"
	StripeRequiresAction = "requires_action"
)

// Learn takes over what Stripe says of the intent. It never undoes a success,
// and takes a refusal or an authentication for the open attempt's only when it
// certainly is: direct says that it answered that attempt's own confirm;
// otherwise the failed charge must be one that no earlier attempt made, and no
// earlier attempt's authentication may be open. attempts are oldest first.
func (p *Payment) Learn(in Intent, attempts []Attempt, direct bool, now time.Time) {
	if in.Term != (Term{}) && (p.Status != Succeeded || p.IntentID == in.ID) {
		p.Term = in.Term
	}
	if in.AskedMinor != 0 && (p.Status != Succeeded || p.IntentID == in.ID) {
		p.AskedMinor = in.AskedMinor
	}
	if p.Status == Succeeded {
		return
	}
	var last *Attempt
	if n := len(attempts); n > 0 && !attempts[n-1].Status.Decided() {
		last = &attempts[n-1]
	}
	p.IntentID = in.ID
	if in.CustomerID != "" {
		p.CustomerID = in.CustomerID
	}
	if in.ClientSecret != "" {
		p.ClientSecret = in.ClientSecret
	}
	p.RedirectURL = in.RedirectURL
	switch in.Status {
	case StripeSucceeded:
		at := chargedAt(in, *p, last, now)
		p.Status, p.ChargeID, p.ChargedAt, p.Decline = Succeeded, in.Charge.ID, &at, Decline{}
		p.ReceivedMinor, p.ReceivedCurrency = in.ReceivedMinor, in.Currency
		decide(last, AttemptSucceeded, now)
	case StripeCanceled:
		p.Status = Canceled
		decide(last, AttemptCanceled, now)
	case StripeProcessing:
		p.Status = Processing
		await(last, AwaitsBank)
	case StripeRequiresAction:
		p.Status = RequiresAction
		if direct || !followsLeftOne(attempts) {
			await(last, AwaitsBuyer)
		}
	default: // requires_payment_method, requires_confirmation
		p.Status = RequiresPaymentMethod
		switch {
		case last == nil:
		case last.PaymentMethod == "" && (in.Error.Code == "" || last.Status != AwaitsBank && !(in.LastWord && isNew(in.Error.ChargeID, attempts))):
			p.Decline = in.Error
			await(last, AwaitsBuyer) // the browser may try another card by itself
		case in.Error.Code != "" && (direct || last.Status != Open || isNew(in.Error.ChargeID, attempts)):
			p.Decline = in.Error
			last.FailedCharge = in.Error.ChargeID
			decide(last, Declined, now)
		}
	}
}

// chargedAt is when Stripe reported success, from which lateness counts. A bank
// that took days made its charge at the start of them. Stripe's whole seconds
// are made up for: no charge was made before its attempt.
func chargedAt(in Intent, was Payment, a *Attempt, now time.Time) time.Time {
	at := in.Charge.CreatedAt
	switch {
	case !in.SucceededAt.IsZero():
		at = in.SucceededAt
	case was.Status == Processing || at.IsZero():
		at = now // it was decided since we last looked
	}
	if a != nil && a.CreatedAt.After(at) && a.CreatedAt.Sub(at) < time.Second {
		return a.CreatedAt
	}
	return at
}

func isNew(chargeID string, attempts []Attempt) bool {
	if chargeID == "" {
		return false
	}
	for _, a := range attempts {
		if a.FailedCharge == chargeID {
			return false
		}
	}
	return true
}

// followsLeftOne says whether the last attempt is not confirmed for certain and
// the one before was given up: an authentication that Stripe waits for may still
// be the earlier one's.
func followsLeftOne(attempts []Attempt) bool {
	n := len(attempts)
	return n > 1 && attempts[n-1].Status == Open && attempts[n-2].Status == AttemptCanceled
}

func decide(a *Attempt, status AttemptStatus, now time.Time) {
	if a != nil {
		a.Decide(status, now)
	}
}

func await(a *Attempt, status AttemptStatus) {
	if a != nil {
		a.Status = status
	}
}
