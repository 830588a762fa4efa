package service

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

// hold keeps an order whose money is not what was asked for until a person, whose
// case it is, has decided: its buyer is told so, nobody is given anything, and when
// all of it went back, the order is over. more says that its access must be seen to.
func (s *Service) hold(ctx context.Context, o order.Order, m order.Money, why order.Why) (more bool, err error) {
	switch {
	case m.WentBack() && o.State == order.Pending:
		return true, s.cameAndWent(ctx, o, m, why)
	case m.WentBack():
		return false, nil // it is with its owner again: nothing is left to decide
	}
	summary := fmt.Sprintf("order %s asked for %s; %s brought %s", o.ReferenceShort(),
		order.Display(o.AmountMinor, o.Currency), m.ChargeID, order.Display(m.AmountMinor, m.Currency))
	was, now := o, s.Now()
	if !was.Held() { // else its case was opened, and may be resolved
		if err := s.Cases.Open(ctx, clients.WrongCharge, o.ID, summary); err != nil || o.State != order.Pending {
			return false, err
		}
	}
	o.Learn(m)
	o.PaymentMethod = ""
	o.PaymentError = order.PaymentError{Code: "wrong_amount", Message: "A payment arrived for this order, and it is not of the amount that the order asked for. A person looks at it: you get your access, or your money back."}
	note := ""
	if !was.Held() {
		o.LastProgressAt, o.LookCount = now, 0
		note = summary + "; a person decides"
	}
	if o == was {
		return false, nil
	}
	return false, s.Store.InTx(ctx, func(tx pgx.Tx) error { return s.Store.Update(ctx, tx, was, o, why, note, now) })
}

// cameAndWent ends an order of which all the money went back before it was good for
// anything. What it then shows is the money that came and went.
func (s *Service) cameAndWent(ctx context.Context, o order.Order, m order.Money, why order.Why) error {
	was, now := o, s.Now()
	o.State, _ = o.State.After(order.Refund)
	o.Learn(m)
	o.AmountMinor, o.Currency, o.ChargeID, o.CustomerID, o.ChargedAt = m.AmountMinor, m.Currency, m.ChargeID, m.CustomerID, &m.ChargedAt
	o.PaymentMethod, o.PaymentError = "", order.PaymentError{}
	o.LearnTerm(m.Term)
	o.LastProgressAt, o.LookCount, o.NextLookAt = now, 0, nil
	s.dueIfWrong(&o)
	note := fmt.Sprintf("%s brought %s, which was not what the order asked for (%s), and all of it went back", m.ChargeID,
		order.Display(m.AmountMinor, m.Currency), order.Display(was.AmountMinor, was.Currency))
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.Store.Update(ctx, tx, was, o, why, note, now); err != nil {
			return err
		}
		return s.Messages.Queue(ctx, tx, clients.Message{
			DedupeKey: fmt.Sprintf("order/%s/refund/%d", o.ID, o.RefundedMinor), Kind: "REFUND", OrderID: o.ID,
		})
	})
}
