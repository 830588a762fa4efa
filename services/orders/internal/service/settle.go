package service

import (
	"context"
	"errors"
	"fmt"

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
		return false, s.note(ctx, o, m)
	}
	if event == order.Paid {
		if d, err := s.doubt(ctx, o, m); err != nil || d != nil {
			return false, errors.Join(err, s.openCase(ctx, o, d))
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
		due := now.Add(s.Settings.RescueAfter)
		o.ChargeID, o.CustomerID, o.ChargedAt, o.NextLookAt = m.ChargeID, m.CustomerID, &m.ChargedAt, &due
		o.PaymentError = order.PaymentError{}
		note = fmt.Sprintf("Stripe confirmed %s (%s)", order.Display(m.AmountMinor, m.Currency), m.ChargeID)
	case order.Declined:
		o.PaymentError = m.Decline
		note = "Stripe declined: " + m.Decline.Code
	case order.Canceled:
		o.PaymentError = order.PaymentError{Code: "not_charged", Message: "Nothing was charged. This order was stopped before the payment, and it will not be charged later."}
		note = "canceled at Stripe; nothing was charged"
	}
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Update(ctx, tx, was, o, why, note, now); err != nil {
			return err
		}
		if event == order.Canceled && was.State == order.Pending && was.Checkout == order.Server {
			// They pressed "pay" and left without an answer: tell them how it ended.
			return s.Messages.Queue(ctx, tx, clients.Message{DedupeKey: "order/" + o.ID.String() + "/not-charged", Kind: "PAYMENT_FAILED", OrderID: o.ID})
		}
		return nil
	})
	return err == nil && event == order.Paid, err
}

// doubt is why money that arrived must not be fulfilled by itself.
type doubt struct {
	kind    clients.CaseKind
	summary string
}

func (s *Service) doubt(ctx context.Context, o order.Order, m order.Money) (*doubt, error) {
	if !m.Matches(o) {
		return &doubt{clients.WrongCharge, fmt.Sprintf("order %s asked for %s; %s brought %s", o.ReferenceShort(),
			order.Display(o.AmountMinor, o.Currency), m.ChargeID, order.Display(m.AmountMinor, m.Currency))}, nil
	}
	if o.State == order.Pending {
		return nil, nil
	}
	paidLater, err := s.Store.HasPaidLater(ctx, o)
	if err != nil || !paidLater {
		return nil, err
	}
	return &doubt{clients.DuplicateCharge, fmt.Sprintf("order %s was given up as %s, its buyer paid again, and then %s arrived for it",
		o.ReferenceShort(), o.State, m.ChargeID)}, nil
}

func (s *Service) openCase(ctx context.Context, o order.Order, d *doubt) error {
	if d == nil {
		return nil
	}
	return s.Cases.Open(ctx, d.kind, o.ID, d.summary)
}

// note keeps what Payments said when it changes nothing about the state.
func (s *Service) note(ctx context.Context, o order.Order, m order.Money) error {
	was := o
	o.Learn(m)
	if o.State != order.Pending || o == was {
		return nil
	}
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		return s.Store.Update(ctx, tx, was, o, order.ByRescue, "", s.Now())
	})
}
