package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store/db"
)

// namesLock is the advisory lock between those who save a name and those who
// let an event wait for one: neither can miss the other.
const namesLock int64 = 0x6d675f6e616d6573 // "mg_names"

// ErrKnownNow means that a name for which an event was to wait has been saved
// since it was looked for.
var ErrKnownNow = errors.New("what the event names has become known meanwhile")

// Wake makes the events that wait for one of these names due now, in the
// transaction that saves the name. Call it after that was written.
func (s *Store) Wake(ctx context.Context, tx pgx.Tx, now time.Time, names ...string) error {
	q := db.New(tx)
	if err := q.LockNamesShared(ctx, namesLock); err != nil {
		return err
	}
	_, err := q.WakeWaiting(ctx, db.WakeWaitingParams{Names: notEmpty(names), Livemode: s.livemode, Now: now})
	return err
}

// addressLooks is how soon an address is asked about first.
const addressLooks = time.Minute

// FinishWaiting records what became of an event until one of the names that it
// waits for is saved, or its address, if it has one, is proven. Errors: ErrKnownNow.
func (s *Store) FinishWaiting(ctx context.Context, eventID, status, method, note string, waitsFor []string, address string, now time.Time) error {
	return s.unlessKnown(ctx, waitsFor, func(q *db.Queries) error {
		return q.FinishWaiting(ctx, db.FinishWaitingParams{
			StripeEventID: eventID, Status: status, ResolutionMethod: orNil(method), LastError: orNil(note), WaitsFor: waitsFor, Now: now,
			AwaitsAddress: address, AddressLookAt: now.Add(addressLooks),
		})
	})
}

// Awaited is an orphaned event that waits for its address to be proven.
type Awaited struct{ EventID, Address string }

// ClaimAwaited takes events whose address is due to be asked about.
func (s *Store) ClaimAwaited(ctx context.Context, now time.Time, limit int) ([]Awaited, error) {
	rows, err := s.q().ClaimAwaitedAddresses(ctx, db.ClaimAwaitedAddressesParams{Now: now, RowLimit: int32(limit)})
	var out []Awaited
	for _, r := range rows {
		out = append(out, Awaited{EventID: r.StripeEventID, Address: r.AwaitsAddress})
	}
	return out, err
}

// WakeOrphan makes an orphaned event due now.
func (s *Store) WakeOrphan(ctx context.Context, eventID string, now time.Time) error {
	return s.q().WakeOrphan(ctx, db.WakeOrphanParams{StripeEventID: eventID, Now: now})
}

// FailWaiting records why an event could not be handled, when it is next, and for
// which names it waits: when one is saved, it is due then. Errors: ErrKnownNow.
func (s *Store) FailWaiting(ctx context.Context, eventID, status, why string, next time.Time, waitsFor []string) error {
	return s.unlessKnown(ctx, waitsFor, func(q *db.Queries) error {
		return q.FailWaiting(ctx, db.FailWaitingParams{
			StripeEventID: eventID, Status: status, LastError: orNil(why), NextLookAt: next, WaitsFor: waitsFor,
		})
	})
}

// WaitForPage records that an event waits for the end of a page of Stripe's, and
// when it is asked again. It is due at once when the page has ended meanwhile.
func (s *Store) WaitForPage(ctx context.Context, eventID, sessionID, why string, next, now time.Time) error {
	return s.InTx(ctx, func(tx pgx.Tx) error {
		q := db.New(tx)
		if err := q.LockNames(ctx, namesLock); err != nil {
			return err
		}
		p, err := q.PaymentBySession(ctx, sessionID)
		switch {
		case err != nil:
			return err
		case fromPayment(p).PageEnd() != "":
			next = now
		}
		return q.WaitForPage(ctx, db.WaitForPageParams{
			StripeEventID: eventID, LastError: why, NextLookAt: next, WaitsFor: []string{payment.EndOfPage(sessionID)},
		})
	})
}

// unlessKnown lets an event wait, while nobody can save a name for which it would.
func (s *Store) unlessKnown(ctx context.Context, waitsFor []string, wait func(*db.Queries) error) error {
	var orders []uuid.UUID
	for _, name := range waitsFor {
		if id, err := uuid.Parse(name); err == nil {
			orders = append(orders, id)
		}
	}
	return s.InTx(ctx, func(tx pgx.Tx) error {
		q := db.New(tx)
		if err := q.LockNames(ctx, namesLock); err != nil {
			return err
		}
		known, err := q.AnyNameKnown(ctx, db.AnyNameKnownParams{Names: waitsFor, OrderIds: orders})
		if err != nil {
			return err
		}
		if known {
			return ErrKnownNow
		}
		return wait(q)
	})
}

// ByCustomer reads the latest payment of the person whose Stripe customer it
// is. Errors: ErrNone.
func (s *Store) ByCustomer(ctx context.Context, customerID string) (payment.Payment, error) {
	r, err := s.q().PaymentByCustomer(ctx, customerID)
	return found(ctx, r, err)
}

// ByAccount reads the latest payment for an account. Errors: ErrNone.
func (s *Store) ByAccount(ctx context.Context, accountID string) (payment.Payment, error) {
	r, err := s.q().PaymentByAccount(ctx, accountID)
	return found(ctx, r, err)
}

// ByEmail reads the latest payment of an address for each account that it
// bought for; one without an account has its own.
func (s *Store) ByEmail(ctx context.Context, emailKey string) ([]payment.Payment, error) {
	rows, err := s.q().PaymentsByEmail(ctx, emailKey)
	var out []payment.Payment
	for _, r := range rows {
		out = append(out, fromPayment(r))
	}
	return out, err
}

// ForgetCustomer drops the id of a customer that was deleted at Stripe: the next
// purchase creates another. The purchases made with it keep its name.
func (s *Store) ForgetCustomer(ctx context.Context, customerID string, now time.Time) error {
	_, err := s.q().ForgetCustomer(ctx, db.ForgetCustomerParams{CustomerID: customerID, Now: now})
	return err
}

func notEmpty(names []string) []string {
	out := []string{}
	for _, name := range names {
		if name != "" {
			out = append(out, name)
		}
	}
	return out
}
