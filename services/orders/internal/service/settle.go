package service

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

// settle records what is known of the money. more says whether the order can
// go on to be fulfilled.
func (s *Service) settle(ctx context.Context, o order.Order, m order.Money, why order.Why) (more bool, err error) {
	if !m.Concerns(o) {
		return false, nil // old news about an earlier card
	}
	event, definite := m.Event()
	next, follows := o.State.After(event)
	if !definite || !follows {
		return false, s.note(ctx, o, m, why)
	}
	paidSince, err := s.Store.HasPaidSince(ctx, o)
	if err != nil {
		return false, err
	}
	if event == order.Paid && !m.Matches(o) {
		return s.hold(ctx, o, m, why)
	}
	if event == order.Paid {
		if stop, err := s.doubt(ctx, o, m, paidSince); err != nil || stop {
			return false, err
		}
	}
	was, now := o, s.Now()
	o.State = next
	o.Learn(m)
	o.PaymentMethod = ""
	o.LastProgressAt, o.LookCount, o.NextLookAt = now, 0, nil
	note := ""
	switch event {
	case order.Paid:
		o.ChargeID, o.CustomerID, o.ChargedAt = m.ChargeID, m.CustomerID, &m.ChargedAt
		o.Promise(now, s.recovery(ctx))
		o.NextLookAt = o.LookBy(now, now.Add(s.Settings.RescueAfter), s.Settings.StillWorkingAfter)
		o.PaymentError = order.PaymentError{}
		o.LearnTerm(m.Term)
		note = m.Arrived()
		if m.AmountMinor != o.AmountMinor {
			note += fmt.Sprintf(", as its page asked; the price is %s", order.Display(o.AmountMinor, o.Currency))
			o.AmountMinor = m.AmountMinor
		}
	case order.Declined:
		o.PaymentError = m.Decline
		note = "Stripe declined: " + m.Decline.Code
	case order.Canceled:
		o.PaymentError = order.PaymentError{Code: "not_charged", Message: "Nothing was charged. This order was stopped before the payment, and it will not be charged later."}
		note = "stopped before the payment; nothing was charged"
	}
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Update(ctx, tx, was, o, why, note, now); err != nil {
			return err
		}
		if event == order.Paid {
			// What the buyer left open for the same must not be charged as well.
			return s.Store.MakeSamePurchaseDue(ctx, tx, o, now)
		}
		switch {
		case s.owesWord(was, event, paidSince):
			return s.Messages.Queue(ctx, tx, notCharged(o))
		case event == order.Declined && was.State == order.Pending && !paidSince:
			return s.Messages.QueueUnlessShown(ctx, tx, notCharged(o))
		}
		return nil
	})
	if err == nil {
		s.Metrics.settle(event)
	}
	return err == nil && event == order.Paid, err
}

// notCharged is the mail that says that nothing was charged.
func notCharged(o order.Order) clients.Message {
	return clients.Message{DedupeKey: "order/" + o.ID.String() + "/not-charged", Kind: "PAYMENT_FAILED", OrderID: o.ID}
}

// owesWord says whether the buyer must be told by mail that nothing was charged,
// wherever they are: they pressed "pay" and left without an answer, or the bank said
// no after days.
// Someone who has paid for the same since has their answer already.
func (s *Service) owesWord(was order.Order, event order.Event, paidSince bool) bool {
	switch {
	case was.State != order.Pending || paidSince:
		return false
	case event == order.Declined:
		return was.PaymentStatus == order.Processing || was.Checkout != order.Server // which is decided after its buyer left, heard of in between or not
	default:
		return event == order.Canceled && was.Checkout == order.Server
	}
}

// doubt opens a case when the money that arrived needs a person, and says
// whether it must not be fulfilled by itself.
func (s *Service) doubt(ctx context.Context, o order.Order, m order.Money, paidSince bool) (stop bool, err error) {
	switch {
	case o.State != order.Pending && m.WentBack() && paidSince:
		return true, nil // it is with its owner again: nothing is left to decide
	case !paidSince || m.NothingDue():
		return false, nil
	}
	// The case names all of them: it is over when the money of all but one went back,
	// whichever that is.
	others, err := s.Store.PaidSince(ctx, o)
	if err != nil {
		return false, err
	}
	by := ""
	if len(others) > 0 {
		by = " by " + strings.Join(others, ", ")
	}
	if o.State == order.Pending {
		// Two charges got through; both are honoured until a person decides.
		return false, s.Cases.Open(ctx, clients.DuplicateCharge, o.ID, fmt.Sprintf(
			"order %s was paid by %s after its buyer had paid another order for the same%s", o.ReferenceShort(), m.ChargeID, by))
	}
	return true, s.Cases.Open(ctx, clients.DuplicateCharge, o.ID, fmt.Sprintf(
		"order %s was given up as %s, its buyer paid again%s, and then %s arrived for it", o.ReferenceShort(), o.State, by, m.ChargeID))
}

// note keeps what Payments said when it changes nothing about the state.
func (s *Service) note(ctx context.Context, o order.Order, m order.Money, why order.Why) error {
	was, now := o, s.Now()
	o.Learn(m)
	if o.State != order.Pending || o == was {
		return nil
	}
	if !was.Awaits() {
		// They waited for themselves or the bank until now.
		o.Promise(now, s.recovery(ctx))
		o.NextLookAt = o.LookBy(now, *o.NextLookAt, s.Settings.StillWorkingAfter)
	}
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		return s.Store.Update(ctx, tx, was, o, why, "", now)
	})
}
