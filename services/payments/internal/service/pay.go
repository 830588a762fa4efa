package service

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/wire"
)

// Pay drives one attempt: intent written here, intent created unconfirmed at
// Stripe, its id saved, and only then confirmed. It may be called again at any
// point and goes on from there. No confirm is sent after chargeBy.
func (s *Service) Pay(ctx context.Context, buyer payment.Purchase, attemptID uuid.UUID, paymentMethod string, hosted bool, chargeBy time.Time) (wire.Known, error) {
	if buyer.RenewsMonths > 0 && !hosted {
		return wire.Known{}, payment.ErrHostedOnly
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	p, a, err := s.begin(ctx, buyer, attemptID, paymentMethod)
	switch {
	case err != nil:
		return wire.Known{}, err
	case p.Status == payment.Succeeded || a.Status.Decided():
		return s.known(ctx, p.ID)
	}
	// Nothing begins for a buyer who has left; asked again before the confirm.
	left := func() bool { return !s.Now().Before(chargeBy) }
	if p.IntentID == "" && p.SessionID == "" {
		if left() {
			return s.known(ctx, p.ID)
		}
		if hosted {
			return s.createSession(ctx, p, buyer)
		}
		if p, err = s.createIntent(ctx, p, buyer); err != nil {
			return s.unknown(ctx, p, "creating the payment intent", err)
		}
	}
	if a.PaymentMethod == "" || a.Status != payment.Open || p.IntentID == "" {
		return s.read(ctx, p) // the browser confirms, here or on Stripe's page, or the bank has it
	}
	if left() {
		return s.known(ctx, p.ID)
	}
	return s.confirm(ctx, p, a)
}

// begin writes the payment and the attempt, or finds them. A payment that is
// paid gets no more attempts. Errors: payment.ErrInProgress, payment.ErrMismatch,
// payment.ErrAttemptID.
func (s *Service) begin(ctx context.Context, buyer payment.Purchase, attemptID uuid.UUID, paymentMethod string) (payment.Payment, payment.Attempt, error) {
	p, a, err := s.beginOnce(ctx, buyer, attemptID, paymentMethod)
	if errors.Is(err, store.ErrTaken) {
		return s.beginOnce(ctx, buyer, attemptID, paymentMethod) // now it is there to be found
	}
	return p, a, err
}

func (s *Service) beginOnce(ctx context.Context, buyer payment.Purchase, attemptID uuid.UUID, paymentMethod string) (p payment.Payment, a payment.Attempt, err error) {
	now := s.Now()
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		var attempts []payment.Attempt
		p, err = s.Store.LockLast(ctx, tx, buyer.OrderID)
		switch {
		case errors.Is(err, store.ErrNone):
			p = payment.Payment{}
		case err != nil:
			return err
		default:
			if a, err = s.Store.Attempt(ctx, tx, attemptID, buyer.OrderID); !errors.Is(err, store.ErrNone) {
				return err
			}
			if attempts, err = s.Store.Attempts(ctx, tx, p.ID); err != nil {
				return err
			}
		}
		if p.Status == payment.Succeeded {
			return nil
		}
		if p.ID == uuid.Nil || p.Status == payment.Canceled {
			p = newPayment(buyer, p.Seq+1, now)
			if err := s.Store.Insert(ctx, tx, p, buyer); err != nil {
				return err
			}
		} else if p.AmountMinor != buyer.AmountMinor || p.Currency != buyer.Currency {
			return payment.ErrMismatch
		} else if n := len(attempts); n > 0 && attempts[n-1].Status == payment.AwaitsBuyer {
			// Another card instead of the authentication that the buyer left.
			attempts[n-1].Decide(payment.AttemptCanceled, now)
			if err := s.Store.UpdateAttempt(ctx, tx, attempts[n-1]); err != nil {
				return err
			}
		}
		due := now.Add(s.Settings.RescueAfter)
		a = payment.Attempt{
			ID: attemptID, PaymentID: p.ID, OrderID: p.OrderID, PaymentMethod: paymentMethod,
			Status: payment.Open, CreatedAt: now, NextLookAt: &due,
		}
		return s.Store.InsertAttempt(ctx, tx, a)
	})
	return p, a, err
}

func newPayment(buyer payment.Purchase, seq int32, now time.Time) payment.Payment {
	return payment.Payment{
		ID: payment.IDFor(buyer.OrderID, seq), OrderID: buyer.OrderID, Seq: seq, Reference: buyer.Reference,
		PlanID: buyer.PlanID, Description: buyer.Description, AccountID: buyer.AccountID, EmailKey: buyer.EmailKey(),
		AmountMinor: buyer.AmountMinor, Currency: buyer.Currency, RenewsMonths: buyer.RenewsMonths, Status: payment.Creating, CreateTry: 1, CreatedAt: now,
	}
}

// confirm charges. Its refusal is definite; anything less is followed by a read
// of the intent, and stays unknown when that tells nothing either.
func (s *Service) confirm(ctx context.Context, p payment.Payment, a payment.Attempt) (wire.Known, error) {
	if s.Now().Sub(a.CreatedAt) > keyLife {
		return s.read(ctx, p)
	}
	in, err := s.Stripe.ConfirmIntent(ctx, a, p.IntentID)
	if err == nil {
		return s.record(ctx, p.ID, in, true, &a)
	}
	s.reportNoAccess(ctx, err)
	// Whatever went wrong, the intent says whether money moved. Without that word
	// nothing is decided.
	refused := errors.Is(err, stripegw.ErrRefused)
	if in, err = s.Stripe.GetIntent(ctx, p.IntentID); err != nil {
		return s.unknown(ctx, p, "confirming the payment intent", err)
	}
	k, err := s.record(ctx, p.ID, in, false, nil)
	if err != nil || !refused || k.Payment.Says(k.Last) != payment.Unknown {
		return k, err
	}
	// A definite 4xx, and the intent re-read is unpaid: the attempt is over.
	return s.decline(ctx, p, a, payment.Decline{Code: "payment_refused", Message: "This card could not be used. Please try another one."})
}

// decline ends an attempt that Stripe refused without a charge.
func (s *Service) decline(ctx context.Context, p payment.Payment, a payment.Attempt, d payment.Decline) (wire.Known, error) {
	in := payment.Intent{ID: p.IntentID, Status: "requires_payment_method", CustomerID: p.CustomerID, Error: d}
	return s.record(ctx, p.ID, in, true, &a)
}

// unknown answers with what is known when Stripe did not answer.
func (s *Service) unknown(ctx context.Context, p payment.Payment, doing string, cause error) (wire.Known, error) {
	s.Log.WarnContext(ctx, "stripe gave no definite word; the attempt stays open", "order_id", p.OrderID, "doing", doing, "error", cause)
	s.reportNoAccess(ctx, cause)
	return s.known(ctx, p.ID)
}
