package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"makegood.example/services/payments/internal/webhook"
	"makegood.example/services/platform/batch"
)

// Finished is an event from which nothing follows: it is filed once, with what
// became of it.
type Finished struct {
	Event                webhook.Event
	Payload              []byte
	Status, Method, Note string
	// Unless holds names: when one of them is known here, the event is not
	// filed, for then something may follow from it.
	Unless webhook.Subject
	Now    time.Time
}

const (
	// filers is how many commits are under way at once. Up to so many callers
	// each have a commit of their own, whose syncs PostgreSQL joins by itself;
	// only more of them gain from sharing one.
	filers = 8
	// filedMost bounds the events of one commit.
	filedMost = 64
	// fileTimeout bounds one commit.
	fileTimeout = 10 * time.Second
)

// filing is the shared commits of finished events.
func (s *Store) filing(hands, most int) *batch.Group[Finished, bool] {
	return &batch.Group[Finished, bool]{Do: s.fileAll, Alone: blamesARow, Hands: hands, Most: most, Timeout: fileTimeout}
}

// FileFinished files the event and returns when it is durable. It returns false,
// with nothing done, when the event is filed already or one of its names is
// known. Events that come while others are being committed share a commit.
func (s *Store) FileFinished(ctx context.Context, f Finished) (bool, error) {
	return s.finished.Run(ctx, f)
}

// blamesARow says that PostgreSQL refused something, and not for its own state:
// a lost connection, a lack of resources, an intervention, a failure of its own.
func blamesARow(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && !slices.Contains([]string{"08", "53", "57", "58", "XX"}, refused.Code[:min(2, len(refused.Code))])
}

// fileEvent writes a row unless the event has one. It is no query of sqlc's
// because what follows WHERE differs from event to event of one commit.
const fileEvent = `INSERT INTO payments.webhook_events (
    stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, resolution_method, last_error,
    customer_id, customer_email, payload, received_at, processed_at
) SELECT $1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $10, $11, $12::timestamptz, $12::timestamptz`

// once leaves the row of an earlier delivery as it is.
const once = ` ON CONFLICT (stripe_event_id) DO NOTHING`

// known says by which rows here a name is known; %d is the name's parameter.
var known = struct{ intent, charge, session, subscription, customer string }{
	intent:       `NOT EXISTS (SELECT FROM payments.payments p WHERE p.payment_intent_id = $%d::text)`,
	charge:       `NOT EXISTS (SELECT FROM payments.payments p WHERE p.charge_id = $%d::text)`,
	session:      `NOT EXISTS (SELECT FROM payments.payments p WHERE p.checkout_session_id = $%d::text)`,
	subscription: `NOT EXISTS (SELECT FROM payments.subscriptions s WHERE s.subscription_id = $%d::text)`,
	customer: `NOT EXISTS (SELECT FROM payments.payments p WHERE p.customer_id = $%[1]d::text)
    AND NOT EXISTS (SELECT FROM payments.customers c WHERE c.customer_id = $%[1]d::text)
    AND NOT EXISTS (SELECT FROM payments.customer_links l WHERE l.customer_id = $%[1]d::text)`,
}

// fileAll is one round trip and one transaction.
func (s *Store) fileAll(ctx context.Context, events []Finished) ([]bool, error) {
	if len(events) == 1 {
		statement, args := events[0].insert()
		tag, err := s.pool.Exec(ctx, statement, args...)
		return []bool{tag.RowsAffected() == 1}, err
	}
	// In one order, so that no two commits wait for each other's events.
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(events[a].Event.ID, events[b].Event.ID) })
	var rows pgx.Batch
	for _, i := range order {
		statement, args := events[i].insert()
		rows.Queue(statement, args...)
	}
	results := s.pool.SendBatch(ctx, &rows)
	filed := make([]bool, len(events))
	for _, i := range order {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close()
			return nil, err
		}
		filed[i] = tag.RowsAffected() == 1
	}
	// The rows are answered before they are committed: that is what Close says.
	return filed, results.Close()
}

func (f Finished) insert() (statement string, args []any) {
	payload := f.Payload
	if payload == nil {
		payload = []byte{} // an empty body is kept, too
	}
	e := f.Event
	args = []any{
		e.ID, e.Type, e.Livemode, e.APIVersion, e.ObjectID, f.Status, orNil(f.Method), orNil(f.Note),
		orNil(e.CustomerID), orNil(e.Email), payload, f.Now,
	}
	var unless []string
	for _, name := range [...]struct{ value, where string }{
		{f.Unless.IntentID, known.intent}, {f.Unless.ChargeID, known.charge},
		{f.Unless.SessionID, known.session}, {f.Unless.SubscriptionID, known.subscription}, {f.Unless.CustomerID, known.customer},
	} {
		if name.value != "" {
			args = append(args, name.value)
			unless = append(unless, fmt.Sprintf(name.where, len(args)))
		}
	}
	if unless == nil {
		return fileEvent + once, args
	}
	return fileEvent + " WHERE " + strings.Join(unless, " AND ") + once, args
}
