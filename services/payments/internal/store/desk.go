package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store/db"
)

// Entry is a row of the ledger as people see it, without the body.
type Entry struct {
	EventID          string
	Type             string
	Livemode         bool
	APIVersion       string
	Status           string
	AttemptCount     int32
	RetryCount       int32
	LastError        string
	CustomerID       string
	CustomerEmail    string
	ResolutionMethod string
	ReceivedAt       time.Time
	ProcessedAt      *time.Time
}

const entryColumns = `stripe_event_id, type, livemode, api_version, status, attempt_count, retry_count, coalesce(last_error, ''),
	coalesce(customer_id, ''), coalesce(customer_email, ''), coalesce(resolution_method, ''), received_at, processed_at`

// Filter chooses rows of the ledger; what is zero chooses all.
type Filter struct {
	Status         string
	ReceivedBefore time.Time
	MinAttempts    int32
	CustomerID     string
	// EventIDs are the only ones to list; none lists any.
	EventIDs []string
	// MostAttempts orders by attempts, instead of newest first.
	MostAttempts bool
	// After is the last entry of the page before, nil for the first page.
	After *Entry
	Limit int
}

// Entries lists the ledger by pages. The statement is put together here, with
// the status written out in it, because only so do the partial indexes serve
// the lists of what needs a person.
func (s *Store) Entries(ctx context.Context, f Filter) ([]Entry, error) {
	where, args := []string{"true"}, []any{}
	and := func(condition string, values ...any) {
		places := make([]any, len(values))
		for i := range values {
			places[i] = len(args) + 1 + i
		}
		where, args = append(where, fmt.Sprintf(condition, places...)), append(args, values...)
	}
	switch f.Status {
	case "":
	case Received, Processed, Ignored, Orphaned, Failed, Quarantined:
		where = append(where, "status = '"+f.Status+"'")
	default:
		return nil, fmt.Errorf("no such status: %q", f.Status)
	}
	if !f.ReceivedBefore.IsZero() {
		and("received_at < $%d", f.ReceivedBefore)
	}
	if f.MinAttempts > 0 {
		and("attempt_count >= $%d", f.MinAttempts)
	}
	if f.CustomerID != "" {
		and("customer_id = $%d", f.CustomerID)
	}
	if len(f.EventIDs) > 0 {
		and("stripe_event_id = ANY ($%d::text[])", f.EventIDs)
	}
	order := "received_at DESC, stripe_event_id DESC"
	switch {
	case f.MostAttempts && f.After != nil:
		and("(attempt_count, received_at, stripe_event_id) < ($%d, $%d, $%d)", f.After.AttemptCount, f.After.ReceivedAt, f.After.EventID)
	case f.After != nil:
		and("(received_at, stripe_event_id) < ($%d, $%d)", f.After.ReceivedAt, f.After.EventID)
	}
	if f.MostAttempts {
		order = "attempt_count DESC, " + order
	}
	rows, err := s.pool.Query(ctx, fmt.Sprintf("SELECT %s FROM payments.webhook_events WHERE %s ORDER BY %s LIMIT %d",
		entryColumns, strings.Join(where, " AND "), order, f.Limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Entry])
}

// Entry reads one row of the ledger. Errors: payment.ErrEventNotFound.
func (s *Store) Entry(ctx context.Context, eventID string) (Entry, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+entryColumns+" FROM payments.webhook_events WHERE stripe_event_id = $1", eventID)
	if err != nil {
		return Entry{}, err
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Entry])
	if errors.Is(err, pgx.ErrNoRows) {
		return e, payment.ErrEventNotFound
	}
	return e, err
}

// Act is what a person does with an event, and why.
type Act struct {
	EventID string
	Actor   string
	Reason  string
	At      time.Time
	// DryRun: what is written is undone.
	DryRun bool
}

// errDryRun undoes what a dry run wrote.
var errDryRun = errors.New("a dry run")

// try runs what a person does with an event, and in a dry run undoes it.
func (s *Store) try(ctx context.Context, a Act, do func(pgx.Tx) error) error {
	err := s.InTx(ctx, func(tx pgx.Tx) error {
		if err := do(tx); err != nil || !a.DryRun {
			return err
		}
		return errDryRun
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

// Whose is the person that an event's customer is said to be.
type Whose struct {
	// BoughtBy is an order of theirs.
	BoughtBy uuid.UUID
	// AccountID is set when they were named by their account.
	AccountID string
}

// orderID is the order by which they were named; nil when it was not by one.
func (w Whose) orderID() *uuid.UUID {
	if w.AccountID != "" {
		return nil
	}
	return orNoID(w.BoughtBy)
}

// Take takes an event into hand for a person. ok is false when it has effects
// or is in another hand. Errors: payment.ErrEventNotFound, payment.ErrNoBody.
func (s *Store) Take(ctx context.Context, a Act, inHandUntil time.Time) (f Filed, ok bool, err error) {
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		e, err := lockEvent(ctx, tx, a.EventID)
		switch {
		case err != nil:
			return err
		case e.Status != Processed && !e.HasBody:
			return payment.ErrNoBody
		}
		r, err := db.New(tx).TakeEvent(ctx, db.TakeEventParams{StripeEventID: a.EventID, Now: a.At, InHandUntil: inHandUntil})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		f, ok = filed(r), true
		return act(ctx, tx, a, "REPLAYED", Whose{})
	})
	return f, ok, err
}

// Ignore ends an event that needs nothing; one that is ignored already stays as
// it is. Errors: payment.ErrEventNotFound, payment.ErrEventState.
func (s *Store) Ignore(ctx context.Context, a Act) error {
	return s.try(ctx, a, func(tx pgx.Tx) error {
		e, err := lockEvent(ctx, tx, a.EventID)
		switch {
		case err != nil || e.Status == Ignored:
			return err
		case e.Status == Received || e.Status == Processed || e.InHandUntil != nil && e.InHandUntil.After(a.At):
			return payment.ErrEventState
		}
		if err := db.New(tx).IgnoreEvent(ctx, db.IgnoreEventParams{StripeEventID: a.EventID, Now: a.At}); err != nil {
			return err
		}
		return act(ctx, tx, a, "IGNORED", Whose{})
	})
}

// Link says whose an event's Stripe customer is, and makes what waited for that
// due now. Errors: payment.ErrEventNotFound, payment.ErrEventState when it names
// no customer of this account's mode, payment.ErrNone when the order has no
// payment, payment.ErrLinked when the customer is known as somebody else's.
func (s *Store) Link(ctx context.Context, a Act, w Whose) error {
	return s.try(ctx, a, func(tx pgx.Tx) error {
		q := db.New(tx)
		// The names come before the event, as for who lets an event wait for one.
		if err := q.LockNamesShared(ctx, namesLock); err != nil {
			return err
		}
		e, err := lockEvent(ctx, tx, a.EventID)
		if err != nil {
			return err
		}
		if orEmpty(e.CustomerID) == "" || e.Livemode != s.livemode {
			return payment.ErrEventState
		}
		buyer, err := q.LastPayment(ctx, w.BoughtBy)
		if errors.Is(err, pgx.ErrNoRows) {
			return payment.ErrNone
		}
		if err != nil {
			return err
		}
		link := db.InsertCustomerLinkParams{
			CustomerID: *e.CustomerID, OrderID: w.orderID(), AccountID: orNil(w.AccountID), EmailKey: buyer.EmailKey, StripeEventID: a.EventID,
			Actor: a.Actor, Reason: a.Reason, LinkedAt: a.At,
		}
		owner, err := q.PaymentByCustomer(ctx, *e.CustomerID)
		if errors.Is(err, pgx.ErrNoRows) {
			if err := q.InsertCustomerLink(ctx, link); err != nil {
				return err
			}
			owner, err = q.PaymentByCustomer(ctx, *e.CustomerID) // a parallel link may have been first
		}
		if err != nil {
			return err
		}
		if owner.EmailKey != buyer.EmailKey {
			return payment.ErrLinked
		}
		if err := act(ctx, tx, a, "LINKED", w); err != nil {
			return err
		}
		if err := q.MakeEventDue(ctx, db.MakeEventDueParams{StripeEventID: a.EventID, Now: a.At}); err != nil {
			return err
		}
		return s.Wake(ctx, tx, a.At, *e.CustomerID)
	})
}

func lockEvent(ctx context.Context, tx pgx.Tx, eventID string) (db.LockEventRow, error) {
	r, err := db.New(tx).LockEvent(ctx, eventID)
	if errors.Is(err, pgx.ErrNoRows) {
		err = payment.ErrEventNotFound
	}
	return r, err
}

func act(ctx context.Context, tx pgx.Tx, a Act, action string, w Whose) error {
	return db.New(tx).InsertEventAction(ctx, db.InsertEventActionParams{
		StripeEventID: a.EventID, Action: action, Actor: a.Actor, Reason: a.Reason, OrderID: w.orderID(), AccountID: orNil(w.AccountID), At: a.At,
	})
}

// MethodCount is how many events ended in a status by a way of finding their person.
type MethodCount struct {
	Method string
	Status string
	Events int64
}

// CountMethods counts the events received since a time by how they found whom they
// are for, and by status; the most frequent first.
func (s *Store) CountMethods(ctx context.Context, since time.Time) ([]MethodCount, error) {
	rows, err := db.New(s.pool).CountResolutionMethods(ctx, since)
	if err != nil {
		return nil, err
	}
	counts := make([]MethodCount, len(rows))
	for i, row := range rows {
		counts[i] = MethodCount{Method: row.ResolutionMethod, Status: row.Status, Events: row.EventCount}
	}
	return counts, nil
}
