package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/payments/internal/store/db"
	"makegood.example/services/payments/internal/webhook"
)

// Ledger statuses of an event.
const (
	Received    = "RECEIVED"
	Processed   = "PROCESSED"
	Ignored     = "IGNORED"
	Orphaned    = "ORPHANED"
	Failed      = "FAILED"
	Quarantined = "QUARANTINED"
)

// Filed is an event in the ledger, in hand to be worked.
type Filed struct {
	EventID      string
	Type         string
	Livemode     bool
	Payload      []byte
	AttemptCount int32
	RetryCount   int32
	// WaitedCount is how many of the handlings found only that it must wait.
	WaitedCount int32
	// InHandUntil is when another may take it, unless KeepInHand moves that.
	InHandUntil time.Time
}

// BeginDelivery files a delivery and takes it into hand until a time. ok is
// false when the event is finished or in another hand; EventStatus tells which.
func (s *Store) BeginDelivery(ctx context.Context, e webhook.Event, payload []byte, now, inHandUntil time.Time) (f Filed, ok bool, err error) {
	if payload == nil {
		payload = []byte{} // an empty body is kept, too
	}
	r, err := s.q().BeginDelivery(ctx, db.BeginDeliveryParams{
		StripeEventID: e.ID, Type: e.Type, Livemode: e.Livemode, ApiVersion: e.APIVersion, ObjectID: e.ObjectID,
		CustomerID: orNil(e.CustomerID), CustomerEmail: orNil(e.Email), Payload: payload, Now: now, InHandUntil: inHandUntil,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Filed{}, false, nil
	}
	return filed(r), err == nil, err
}

// KeepInHand moves the time until which an event is in a hand. It changes nothing when
// the event is in that hand no more.
func (s *Store) KeepInHand(ctx context.Context, f Filed, until time.Time) error {
	return s.q().KeepInHand(ctx, db.KeepInHandParams{StripeEventID: f.EventID, UntilNow: f.InHandUntil, InHandUntil: until})
}

// EventStatus reads an event's status. Errors: ErrNone.
func (s *Store) EventStatus(ctx context.Context, eventID string) (string, error) {
	status, err := s.q().GetEventStatus(ctx, eventID)
	return status, domainError(err)
}

// FinishEvent records what became of an event.
func (s *Store) FinishEvent(ctx context.Context, eventID, status, method, note string, now time.Time) error {
	return s.q().FinishEvent(ctx, db.FinishEventParams{
		StripeEventID: eventID, Status: status, ResolutionMethod: orNil(method), LastError: orNil(note), Now: now,
	})
}

// FailHandling records why an event could not be handled and when it is next.
func (s *Store) FailHandling(ctx context.Context, eventID, status, why string, next time.Time) error {
	return s.q().FailHandling(ctx, db.FailHandlingParams{StripeEventID: eventID, Status: status, LastError: orNil(why), NextLookAt: next})
}

// ClaimDueEvents takes unfinished events that are due for our own retry.
func (s *Store) ClaimDueEvents(ctx context.Context, now, inHandUntil time.Time, limit int) ([]Filed, error) {
	rows, err := s.q().ClaimDueEvents(ctx, db.ClaimDueEventsParams{Now: now, InHandUntil: inHandUntil, RowLimit: int32(limit)})
	var out []Filed
	for _, r := range rows {
		out = append(out, filed(r))
	}
	return out, err
}

// MakeEventsDue makes every event that was in hand due now.
func (s *Store) MakeEventsDue(ctx context.Context, now time.Time) (int64, error) {
	return s.q().MakeEventsDue(ctx, now)
}

func filed(r db.WebhookEvent) Filed {
	f := Filed{EventID: r.StripeEventID, Type: r.Type, Livemode: r.Livemode, Payload: r.Payload, AttemptCount: r.AttemptCount, RetryCount: r.RetryCount, WaitedCount: r.WaitedCount}
	if r.InHandUntil != nil {
		f.InHandUntil = *r.InHandUntil
	}
	return f
}
