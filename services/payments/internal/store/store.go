// Package store keeps payments, attempts and the webhook ledger in PostgreSQL.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store/db"
	"makegood.example/services/platform/batch"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/tracing"
)

var (
	// ErrNone means that there is no such row.
	ErrNone = errors.New("no such row")
	// ErrTaken means that a parallel call wrote this payment first.
	ErrTaken = errors.New("a parallel call wrote it first")
)

// Store reads and writes the schema of Payments.
type Store struct {
	pool *pgxpool.Pool
	// livemode is the mode of the Stripe account that the rows are about.
	livemode bool
	finished *batch.Group[[]Finished, []bool]
}

// New makes a store on a pool, for an account in one of Stripe's modes.
func New(pool *pgxpool.Pool, livemode bool) *Store {
	s := &Store{pool: pool, livemode: livemode}
	s.finished = s.filing(filers, filedMost)
	return s
}

// InTx runs fn in one transaction.
func (s *Store) InTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return domainError(pg.InTx(ctx, s.pool, fn))
}

func (s *Store) q() *db.Queries { return db.New(s.pool) }

// domainError maps what PostgreSQL says to what the domain means.
func domainError(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNone
	}
	switch pg.ViolatedConstraint(err) {
	case "attempts_one_undecided":
		return payment.ErrInProgress
	case "attempts_pkey":
		return payment.ErrAttemptID
	case "refunds_one_requested":
		return payment.ErrRefundRunning
	case "refunds_pkey", "payments_pkey", "payments_order_seq", "payments_one_payable", "payments_intent_unique", "payments_charge_unique", "payments_invoice_unique":
		return ErrTaken
	default:
		return err
	}
}

// Customer is the Stripe Customer of an address; ID is empty until created.
type Customer struct {
	EmailKey   string
	FirstOrder uuid.UUID
	Email      string
	Name       string
	ID         string
	CreateTry  int32
	TriedAt    time.Time
}

// CreateKey is Stripe's idempotency key for creating the Customer. It is made
// of the order that first brought the address, so that parallel purchases and a
// restored database create one.
func (c Customer) CreateKey() string { return fmt.Sprintf("customer/%s/%d", c.FirstOrder, c.CreateTry) }

// Customer reads an address's customer. Errors: ErrNone.
func (s *Store) Customer(ctx context.Context, emailKey string) (Customer, error) {
	r, err := s.q().GetCustomer(ctx, emailKey)
	return Customer{EmailKey: r.EmailKey, FirstOrder: r.FirstOrderID, Email: r.Email, Name: r.Name, ID: orEmpty(r.CustomerID), CreateTry: r.CreateTry, TriedAt: r.TriedAt}, domainError(err)
}

// NextCustomerTry moves to the next key for creating the Customer and answers
// with the row as it then is.
func (s *Store) NextCustomerTry(ctx context.Context, c Customer, now time.Time) (Customer, error) {
	if err := s.q().NextCustomerTry(ctx, db.NextCustomerTryParams{EmailKey: c.EmailKey, Was: c.CreateTry, Now: now}); err != nil {
		return c, err
	}
	return s.Customer(ctx, c.EmailKey)
}

// SaveCustomer keeps the id of a created customer, unless one is kept already.
func (s *Store) SaveCustomer(ctx context.Context, emailKey, customerID string, now time.Time) error {
	return s.InTx(ctx, func(tx pgx.Tx) error {
		if err := db.New(tx).SetCustomerID(ctx, db.SetCustomerIDParams{EmailKey: emailKey, CustomerID: customerID}); err != nil {
			return err
		}
		return s.Wake(ctx, tx, now, customerID)
	})
}

// Insert writes a payment, and its address's customer row if there is none.
func (s *Store) Insert(ctx context.Context, tx pgx.Tx, p payment.Payment, buyer payment.Purchase) error {
	q := db.New(tx)
	if err := q.InsertCustomer(ctx, db.InsertCustomerParams{
		EmailKey: p.EmailKey, FirstOrderID: p.OrderID, Email: buyer.Email, Name: buyer.Name, Now: p.CreatedAt,
	}); err != nil {
		return err
	}
	if err := q.InsertPayment(ctx, db.InsertPaymentParams{
		ID: p.ID, OrderID: p.OrderID, Seq: p.Seq, Reference: p.Reference, PlanID: p.PlanID, Description: p.Description,
		AccountID: p.AccountID, EmailKey: p.EmailKey, AmountMinor: p.AmountMinor, Currency: p.Currency,
		RenewsMonths: p.RenewsMonths, RenewsOrderID: orNoID(p.RenewsOrderID), Now: p.CreatedAt,
		TraceParent: tracing.RecordedParent(ctx),
	}); err != nil {
		return err
	}
	return s.Wake(ctx, tx, p.CreatedAt, p.OrderID.String(), p.AccountID)
}

// InsertAdopted writes a payment whose buyer a person has named, as it is at Stripe.
// Errors: ErrTaken.
func (s *Store) InsertAdopted(ctx context.Context, tx pgx.Tx, p payment.Payment, buyer payment.Purchase) error {
	if err := s.Insert(ctx, tx, p, buyer); err != nil {
		return domainError(err)
	}
	if err := db.New(tx).SetAdoptedBy(ctx, db.SetAdoptedByParams{ID: p.ID, AdoptedBy: p.AdoptedBy}); err != nil {
		return err
	}
	return s.Update(ctx, tx, p, p.CreatedAt)
}

// found is a payment that was read; whoever does so later goes on with the trace in
// which it was written.
func found(ctx context.Context, r db.Payment, err error) (payment.Payment, error) {
	tracing.Link(ctx, r.TraceParent)
	return fromPayment(r), domainError(err)
}

// Last reads an order's latest payment. Errors: ErrNone.
func (s *Store) Last(ctx context.Context, orderID uuid.UUID) (payment.Payment, error) {
	r, err := s.q().LastPayment(ctx, orderID)
	return found(ctx, r, err)
}

// LockLast reads and locks an order's latest payment. Errors: ErrNone.
func (s *Store) LockLast(ctx context.Context, tx pgx.Tx, orderID uuid.UUID) (payment.Payment, error) {
	r, err := db.New(tx).LockLastPayment(ctx, orderID)
	return found(ctx, r, err)
}

// Lock reads and locks a payment. Errors: ErrNone.
func (s *Store) Lock(ctx context.Context, tx pgx.Tx, id uuid.UUID) (payment.Payment, error) {
	r, err := db.New(tx).LockPayment(ctx, id)
	return found(ctx, r, err)
}

// ByIntent reads the payment that saved an intent's id. Errors: ErrNone.
func (s *Store) ByIntent(ctx context.Context, intentID string) (payment.Payment, error) {
	r, err := s.q().PaymentByIntent(ctx, intentID)
	return found(ctx, r, err)
}

// SaveIntent keeps the intent's id while the payment still wants to be charged;
// false says that it does not any more.
func (s *Store) SaveIntent(ctx context.Context, id uuid.UUID, in payment.Intent, now time.Time) (saved bool, err error) {
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		n, err := db.New(tx).SaveIntent(ctx, db.SaveIntentParams{
			ID: id, PaymentIntentID: in.ID, ClientSecret: in.ClientSecret, CustomerID: in.CustomerID, Now: now,
		})
		if saved = n == 1; err != nil || !saved {
			return err
		}
		return s.Wake(ctx, tx, now, in.ID, in.CustomerID)
	})
	return saved && err == nil, err
}

// SaveSession keeps the session's id while the payment still wants to be
// charged; false says that it does not any more, or has one.
func (s *Store) SaveSession(ctx context.Context, id uuid.UUID, customerID string, session payment.Session, now time.Time) (saved bool, err error) {
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		n, err := db.New(tx).SaveSession(ctx, db.SaveSessionParams{
			ID: id, CheckoutSessionID: session.ID, RedirectUrl: session.URL, CustomerID: customerID, Now: now,
		})
		if saved = n == 1; err != nil || !saved {
			return err
		}
		return s.Wake(ctx, tx, now, session.ID, customerID)
	})
	return saved && err == nil, err
}

// BySession reads the payment that saved a session's id. Errors: ErrNone.
func (s *Store) BySession(ctx context.Context, sessionID string) (payment.Payment, error) {
	r, err := s.q().PaymentBySession(ctx, sessionID)
	return found(ctx, r, err)
}

// NextCreateTry moves to the next key for creating the intent and answers with
// the number it then has.
func (s *Store) NextCreateTry(ctx context.Context, p payment.Payment) (int32, error) {
	if err := s.q().NextCreateTry(ctx, db.NextCreateTryParams{ID: p.ID, Was: p.CreateTry}); err != nil {
		return p.CreateTry, err
	}
	now, err := s.Last(ctx, p.OrderID)
	return now.CreateTry, err
}

// Update writes what is known of a payment.
func (s *Store) Update(ctx context.Context, tx pgx.Tx, p payment.Payment, now time.Time) error {
	var received *int64
	if p.Status == payment.Succeeded {
		received = &p.ReceivedMinor
	}
	var start, end *time.Time
	if p.Term != (payment.Term{}) {
		start, end = &p.Term.Start, &p.Term.End
	}
	return domainError(db.New(tx).UpdatePayment(ctx, db.UpdatePaymentParams{
		ID: p.ID, Status: string(p.Status), ClientSecret: orNil(p.ClientSecret), RedirectUrl: orNil(p.RedirectURL),
		CustomerID: orNil(p.CustomerID), PaymentIntentID: orNil(p.IntentID), CheckoutSessionID: orNil(p.SessionID), ChargeID: orNil(p.ChargeID),
		AskedMinor: orNone(p.AskedMinor), ReceivedMinor: received, ReceivedCurrency: orNil(p.ReceivedCurrency), ChargedAt: p.ChargedAt,
		DeclineCode: orNil(p.Decline.Code), DeclineMessage: orNil(p.Decline.Message), UpdatedAt: now,
		SubscriptionID: orNil(p.Term.SubscriptionID), InvoiceID: orNil(p.Term.InvoiceID), TermStart: start, TermEnd: end,
	}))
}

// Attempt reads an attempt of an order. Errors: ErrNone.
func (s *Store) Attempt(ctx context.Context, tx pgx.Tx, id, orderID uuid.UUID) (payment.Attempt, error) {
	r, err := db.New(tx).GetAttempt(ctx, db.GetAttemptParams{ID: id, OrderID: orderID})
	return fromAttempt(r), domainError(err)
}

// InsertAttempt writes an open attempt. Errors: payment.ErrInProgress when
// another one is undecided, payment.ErrAttemptID when another order has it.
func (s *Store) InsertAttempt(ctx context.Context, tx pgx.Tx, a payment.Attempt) error {
	return domainError(db.New(tx).InsertAttempt(ctx, db.InsertAttemptParams{
		ID: a.ID, PaymentID: a.PaymentID, OrderID: a.OrderID, PaymentMethod: orNil(a.PaymentMethod),
		Now: a.CreatedAt, NextLookAt: *a.NextLookAt,
	}))
}

// Attempts lists a payment's attempts, oldest first; tx may be nil.
func (s *Store) Attempts(ctx context.Context, tx pgx.Tx, paymentID uuid.UUID) ([]payment.Attempt, error) {
	q := s.q()
	if tx != nil {
		q = db.New(tx)
	}
	rows, err := q.ListAttempts(ctx, paymentID)
	var out []payment.Attempt
	for _, r := range rows {
		out = append(out, fromAttempt(r))
	}
	return out, err
}

// UpdateAttempt writes where an attempt stands.
func (s *Store) UpdateAttempt(ctx context.Context, tx pgx.Tx, a payment.Attempt) error {
	return db.New(tx).UpdateAttempt(ctx, db.UpdateAttemptParams{
		ID: a.ID, Status: string(a.Status), PaymentMethod: orNil(a.PaymentMethod), FailedCharge: orNil(a.FailedCharge),
		DecidedAt: a.DecidedAt, NextLookAt: a.NextLookAt,
	})
}

// ClaimDueAttempts takes undecided attempts that are due for a look.
func (s *Store) ClaimDueAttempts(ctx context.Context, now time.Time, firstDelay time.Duration, limit int) ([]payment.Attempt, error) {
	rows, err := s.q().ClaimDueAttempts(ctx, db.ClaimDueAttemptsParams{
		Now: now, RowLimit: int32(limit),
		FirstDelay: pgtype.Interval{Microseconds: firstDelay.Microseconds(), Valid: true},
	})
	var out []payment.Attempt
	for _, r := range rows {
		out = append(out, fromAttempt(r))
	}
	return out, err
}

// MakeAttemptsDue makes every open attempt due now.
func (s *Store) MakeAttemptsDue(ctx context.Context, now time.Time) (int64, error) {
	return s.q().MakeAttemptsDue(ctx, now)
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

func fromPayment(r db.Payment) payment.Payment {
	p := payment.Payment{
		ID: r.ID, OrderID: r.OrderID, Seq: r.Seq, Reference: r.Reference, PlanID: r.PlanID, Description: r.Description,
		AccountID: r.AccountID, EmailKey: r.EmailKey, AmountMinor: r.AmountMinor, Currency: r.Currency,
		RenewsMonths: r.RenewsMonths, Status: payment.Status(r.Status), CreateTry: r.CreateTry, IntentID: orEmpty(r.PaymentIntentID), SessionID: orEmpty(r.CheckoutSessionID),
		CustomerID: orEmpty(r.CustomerID), ClientSecret: orEmpty(r.ClientSecret), RedirectURL: orEmpty(r.RedirectUrl),
		ChargeID: orEmpty(r.ChargeID), ReceivedCurrency: orEmpty(r.ReceivedCurrency), ChargedAt: r.ChargedAt,
		Decline: payment.Decline{Code: orEmpty(r.DeclineCode), Message: orEmpty(r.DeclineMessage)}, CreatedAt: r.CreatedAt,
		AdoptedBy: orEmpty(r.AdoptedBy),
	}
	if r.RenewsOrderID != nil {
		p.RenewsOrderID = *r.RenewsOrderID
	}
	if r.InvoiceID != nil {
		p.Term = payment.Term{SubscriptionID: orEmpty(r.SubscriptionID), InvoiceID: *r.InvoiceID, Start: r.TermStart.UTC(), End: r.TermEnd.UTC()}
	}
	if r.AskedMinor != nil {
		p.AskedMinor = *r.AskedMinor
	}
	p.RefundedMinor, p.Dispute = r.RefundedMinor, payment.Dispute(orEmpty(r.Dispute))
	if r.ReceivedMinor != nil {
		p.ReceivedMinor = *r.ReceivedMinor
	}
	return p
}

func fromAttempt(r db.Attempt) payment.Attempt {
	return payment.Attempt{
		ID: r.ID, PaymentID: r.PaymentID, OrderID: r.OrderID, PaymentMethod: orEmpty(r.PaymentMethod),
		Status: payment.AttemptStatus(r.Status), FailedCharge: orEmpty(r.FailedCharge), CreatedAt: r.CreatedAt,
		DecidedAt: r.DecidedAt, NextLookAt: r.NextLookAt, LookCount: r.LookCount,
	}
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orNone(amountMinor int64) *int64 {
	if amountMinor == 0 {
		return nil
	}
	return &amountMinor
}

func orNoID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
