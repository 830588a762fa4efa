package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// record takes over what Stripe says of a payment's intent, in one transaction,
// and answers with what is then known. direct says that Stripe answered the
// confirm of the attempt asked, so a refusal is that attempt's.
func (s *Service) record(ctx context.Context, id uuid.UUID, in payment.Intent, direct bool, asked *payment.Attempt) (k wire.Known, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		k, err = s.recordIn(ctx, tx, id, in, direct, asked)
		return err
	})
	return k, err
}

func (s *Service) recordIn(ctx context.Context, tx pgx.Tx, id uuid.UUID, in payment.Intent, direct bool, asked *payment.Attempt) (wire.Known, error) {
	now := s.Now()
	p, err := s.Store.Lock(ctx, tx, id)
	if err != nil {
		return wire.Known{}, err
	}
	attempts, err := s.Store.Attempts(ctx, tx, id)
	if err != nil {
		return wire.Known{}, err
	}
	was, k := p, wire.Known{Payment: p, Last: last(attempts)}
	var before payment.Attempt
	if k.Last != nil {
		before = *k.Last
	}
	mine := direct && asked != nil && k.Last != nil && asked.ID == k.Last.ID
	p.Learn(in, attempts, mine, now)
	if was.Status == payment.Succeeded && p.Term == was.Term && p.AskedMinor == was.AskedMinor {
		return k, nil
	}
	k = wire.Known{Payment: p, Last: last(attempts)}
	if err := s.Store.Update(ctx, tx, p, now); err != nil {
		return k, err
	}
	if p.IntentID != was.IntentID || p.CustomerID != was.CustomerID || p.PageEnd() != was.PageEnd() {
		if err := s.Store.Wake(ctx, tx, now, p.IntentID, p.CustomerID, p.PageEnd()); err != nil {
			return k, err
		}
	}
	if k.Last != nil && *k.Last != before {
		if err := s.Store.UpdateAttempt(ctx, tx, *k.Last); err != nil {
			return k, err
		}
	}
	if p.Status != payment.Succeeded || p.Term == (payment.Term{}) {
		return k, nil
	}
	return k, s.Store.TermPaid(ctx, tx, p, now, now.Add(s.Settings.RescueAfter))
}

// known answers with what is recorded.
func (s *Service) known(ctx context.Context, id uuid.UUID) (k wire.Known, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		p, err := s.Store.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		attempts, err := s.Store.Attempts(ctx, tx, id)
		k = wire.Known{Payment: p, Last: last(attempts)}
		return err
	})
	return k, err
}

// read asks Stripe for the intent, or for the session that has none yet, and
// records what it says. No answer changes nothing.
func (s *Service) read(ctx context.Context, p payment.Payment) (wire.Known, error) {
	k, err := s.ask(ctx, p)
	if noWord(err) || errors.Is(err, stripegw.ErrNotFound) {
		return s.unknown(ctx, p, "reading the payment", err)
	}
	return k, err
}

// ask is read for those who must know that there was no answer, and why.
func (s *Service) ask(ctx context.Context, p payment.Payment) (wire.Known, error) {
	if p.IntentID == "" && p.SessionID != "" {
		session, err := s.Stripe.GetSession(ctx, p.SessionID)
		if err != nil {
			return wire.Known{}, err
		}
		return s.recordSession(ctx, p.ID, session)
	}
	in, err := s.readIntent(ctx, p, p.IntentID)
	if err != nil {
		return wire.Known{}, err
	}
	if in.CustomerID != "" && p.CustomerID != "" && in.CustomerID != p.CustomerID {
		// Whoever asks learns nothing, until a person has looked.
		return wire.Known{}, errors.Join(stripegw.ErrUnknown, s.Cases.OpenUnknownPayment(ctx, p.OrderID, fmt.Sprintf(
			"intent %s is saved for customer %s, and at Stripe it belongs to %s: nothing is taken from it", in.ID, p.CustomerID, in.CustomerID)))
	}
	return s.record(ctx, p.ID, in, false, nil)
}

// readIntent reads an intent and, when it took another amount than is known to
// have been asked for, what Stripe's page or invoice asked for.
func (s *Service) readIntent(ctx context.Context, p payment.Payment, id string) (payment.Intent, error) {
	in, err := s.Stripe.GetIntent(ctx, id)
	if err == nil && in.Status == payment.StripeSucceeded && in.ReceivedMinor != p.Asked() {
		in.AskedMinor, err = s.Stripe.AskedFor(ctx, in)
	}
	return in, err
}

func last(attempts []payment.Attempt) *payment.Attempt {
	if len(attempts) == 0 {
		return nil
	}
	return &attempts[len(attempts)-1]
}
