package message

import (
	"strings"
	"time"
)

// TrueOf says whether the message may be sent while its order is as it is.
func (m Message) TrueOf(o Order, now time.Time) bool {
	switch m.Kind {
	case Confirmation:
		return o.State == "COMPLETE"
	case Recovery:
		return o.State == "RECOVERED"
	case Renewed:
		return o.Renewal && (o.State == "COMPLETE" || o.State == "RECOVERED")
	case PaymentFailed:
		if m.OfRenewal() {
			due := m.due(o)
			return due != nil && !due.ActionRequired
		}
		// Given up by the buyer, or refused by a bank after days.
		return o.State == "EXPIRED" || o.State == "FAILED"
	case ActionRequired:
		due := m.due(o)
		return due != nil && due.ActionRequired
	case AccessEnding:
		s := o.Subscription
		return s != nil && s.AccessUntil.After(now) && (!s.WillRenew() || s.Collecting())
	case Refund, DuplicateRefunded:
		return o.RefundedDisplay != ""
	case StillWorking:
		return o.AwaitsAccess()
	case RefundOffer:
		return o.AwaitsAccess() && o.RefundToken != "" && now.Before(o.RefundUntil) && !o.Disputed && o.RefundedDisplay == ""
	case RepeatRefused:
		return o.Stands()
	}
	return false
}

// OfRenewal says whether the message is about a subscription's later term, and
// not about the payment of the order itself.
func (m Message) OfRenewal() bool { return strings.HasPrefix(m.DedupeKey, "subscription/") }

// patience is how long a message waits for a fact that is still on its way.
const patience = 30 * time.Second

// Waits says whether the message must wait, though not for long, for what is not known
// yet: of an order because of which another was refused, its payment. It may come to
// nothing in a moment, and then there is nothing to tell. What a subscription's mails
// say needs no wait: Orders queues them together with the access that they speak of.
func (m Message) Waits(o Order, now time.Time) bool {
	return m.Kind == RepeatRefused && o.State == "PENDING" && o.Waits && now.Sub(m.CreatedAt) < patience
}

// due is the renewal to be paid now, if it is the one that the message is about;
// the key names it: subscription/<id>/invoice/<id>/<what>.
func (m Message) due(o Order) *UnpaidInvoice {
	if o.Subscription == nil {
		return nil
	}
	due := o.Subscription.Due()
	if due == nil || !strings.HasPrefix(m.DedupeKey, "subscription/"+o.Subscription.ID+"/invoice/"+due.InvoiceID+"/") {
		return nil
	}
	return due
}
