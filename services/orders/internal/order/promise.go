package order

import (
	"crypto/subtle"
	"time"
)

// spoken are the times that a person says.
var spoken = []time.Duration{
	30 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// Spoken rounds a time up to one that a person says; a day at the most.
func Spoken(d time.Duration) time.Duration {
	for _, s := range spoken {
		if d <= s {
			return s
		}
	}
	return spoken[len(spoken)-1]
}

// upToTheMinute is the time as pages and mails name it, so that none of them can say
// "by 14:06" and, before it is 14:06, that this was not kept.
func upToTheMinute(t time.Time) time.Time {
	return t.Add(time.Minute - time.Nanosecond).Truncate(time.Minute)
}

// AwaitsAccess says whether the order is paid and its buyer waits for access.
// Nobody waits for a renewal, and who has taken the refund waits for that.
func (o Order) AwaitsAccess() bool {
	return o.Kind == Purchase && (o.State == Charged || o.State == Orphaned) && o.RefundAskedAt == nil && !o.LosesAccess()
}

// Awaits says whether the buyer waits for us, and for nobody else: for access, or
// to know whether money was taken.
func (o Order) Awaits() bool {
	return o.AwaitsAccess() || o.Kind == Purchase && o.State == Pending && o.PaymentStatus == Unknown
}

// Promise tells the buyer by when they hear, if they wait for us: recovery is how
// long that takes at the most. It begins anew: what was missed while they waited for
// something else, or with another card, is no delay of this.
func (o *Order) Promise(now time.Time, recovery time.Duration) {
	if !o.Awaits() {
		return
	}
	if o.ChargedAt != nil && o.ChargedAt.After(now) {
		now = *o.ChargedAt
	}
	by := upToTheMinute(now.Add(Spoken(recovery)))
	o.PromiseBy, o.MissedBy, o.MissedCount = &by, nil, 0
}

// stillWorkingAt is when the buyer must hear that we have their payment; nil when
// they heard it, need not, or paid nothing.
func (o Order) stillWorkingAt(after time.Duration) *time.Time {
	if !o.AwaitsAccess() || o.StillWorkingAt != nil || o.AmountMinor == 0 {
		return nil
	}
	at := o.ChargedAt.Add(after)
	return &at
}

// WordDue is when something must be said to the buyer: that we have their payment,
// or that a promise was not kept, with the next one. Nil when nothing will be.
func (o Order) WordDue(stillWorkingAfter time.Duration) *time.Time {
	if !o.Awaits() {
		return nil
	}
	due := o.PromiseBy
	if at := o.stillWorkingAt(stillWorkingAfter); at != nil && (due == nil || at.Before(*due)) {
		due = at
	}
	return due
}

// LookBy is next, or the moment when something must be said to the buyer if that
// comes before. What is overdue is said by the next look.
func (o Order) LookBy(now, next time.Time, stillWorkingAfter time.Duration) *time.Time {
	if due := o.WordDue(stillWorkingAfter); due != nil && due.After(now) && due.Before(next) {
		return due
	}
	return &next
}

// Patience are the times by which words to a buyer who waits are chosen.
type Patience struct {
	// Recovery is how long a recovery takes at the most, NextLooks how long the next
	// looks are away.
	Recovery, NextLooks time.Duration
	// StillWorkingAfter is how long after the payment they are told that we have it.
	StillWorkingAfter time.Duration
	// OfferFor is how long the refund that is offered can be taken.
	OfferFor time.Duration
}

// Word is what its buyer must be told now. A promise that was not kept is counted
// and followed by the next. The refund is offered when a promise passes that was
// named after, or when, they were told that we have their payment: one mail at a
// time. newToken makes what takes the refund.
func (o *Order) Word(now time.Time, p Patience, newToken func() string) (kinds []string) {
	if !o.Awaits() {
		return nil
	}
	missed := o.PromiseBy != nil && !now.Before(*o.PromiseBy)
	switch {
	case missed:
		by, count := o.PromiseBy, o.MissedCount+1
		o.Promise(now, max(p.Recovery, p.NextLooks))
		o.MissedBy, o.MissedCount = by, count
	case o.PromiseBy == nil:
		o.Promise(now, p.Recovery)
	}
	at := o.stillWorkingAt(p.StillWorkingAfter)
	switch {
	case at != nil && !now.Before(*at):
		o.StillWorkingAt = &now
		return []string{"STILL_WORKING"}
	case missed && o.mayOffer():
		until := now.Add(p.OfferFor)
		o.RefundToken, o.RefundOfferedAt, o.RefundOfferUntil = newToken(), &now, &until
		return []string{"REFUND_OFFER"}
	}
	return nil
}

// mayOffer says whether a refund by one link can be offered. A subscription would
// go on and charge again, and what is disputed or went back in part needs a person.
func (o Order) mayOffer() bool {
	return o.StillWorkingAt != nil && o.RefundToken == "" && o.AwaitsAccess() && !o.Renews && o.RefundedMinor == 0 && o.Dispute != DisputeOpen
}

// RefundRuns says whether the buyer took the refund and nothing is decided yet.
func (o Order) RefundRuns() bool {
	return o.RefundAskedAt != nil && o.RefundFailedAt == nil && o.State != Refunded
}

// MayTakeRefund says whether who holds the token may have the money back now; nil
// also when they have asked already. Errors: ErrNotOffered, ErrCannotRefund.
func (o Order) MayTakeRefund(token string, now time.Time) error {
	switch {
	case o.RefundToken == "" || subtle.ConstantTimeCompare([]byte(o.RefundToken), []byte(token)) != 1:
		return ErrNotOffered
	case o.RefundAskedAt != nil:
		return nil
	case !o.whole():
		return ErrCannotRefund // what the link names is the whole amount
	case !now.Before(*o.RefundOfferUntil):
		return ErrNotOffered
	}
	return nil
}

// RefundOffer is until when the buyer may take the refund that they were offered;
// nil when there is none that can still be taken.
func (o Order) RefundOffer() *time.Time {
	if o.RefundToken == "" || o.RefundAskedAt != nil || !o.whole() {
		return nil
	}
	return o.RefundOfferUntil
}

// whole says whether all of the money is here and nobody disputes it.
func (o Order) whole() bool {
	return o.State != Refunded && o.RefundedMinor == 0 && o.Dispute != DisputeOpen && o.Dispute != DisputeLost
}
