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
	// filedMost bounds the callers that share a commit.
	filedMost = 64
	// fileTimeout bounds one commit.
	fileTimeout = 10 * time.Second
)

// filing is the shared commits of finished events.
func (s *Store) filing(hands, most int) *batch.Group[[]Finished, []bool] {
	return &batch.Group[[]Finished, []bool]{Do: s.fileAll, Hands: hands, Most: most, Timeout: fileTimeout}
}

// FileFinished files the events and returns when they are durable. It says false
// of one with which nothing was done, because it is filed already, or one of its
// names is known, or the database refuses it. Events that come while others are
// being committed share a commit.
func (s *Store) FileFinished(ctx context.Context, events []Finished) ([]bool, error) {
	return s.finished.Run(ctx, events)
}

// blamesARow says that PostgreSQL refused something, and not for its own state:
// a lost connection, a lack of resources, an intervention, a failure of its own.
func blamesARow(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && !slices.Contains([]string{"08", "53", "57", "58", "XX"}, refused.Code[:min(2, len(refused.Code))])
}

// columns are what a filed event has of its own, in the order of texts.
const columns = `stripe_event_id, type, api_version, object_id, status, resolution_method, last_error, customer_id, customer_email,
    livemode, payload, received_at, processed_at, attempt_count`

// fileOne and fileMany are no queries of sqlc's because what follows WHERE
// differs from event to event, and because it does not know the columns of unnest.
const (
	fileOne = `INSERT INTO payments.webhook_events (` + columns + `)
SELECT $1, $2, $3, $4, $5, nullif($6::text, ''), nullif($7::text, ''), nullif($8::text, ''), nullif($9::text, ''), $10, $11, $12::timestamptz, $12::timestamptz, 1`

	// The arrays are selected, and not named where they are unnested, so that
	// their length tells the planner nothing: then one plan serves every length,
	// and each connection makes it once.
	fileMany = `INSERT INTO payments.webhook_events (` + columns + `)
SELECT e.id, e.type, e.api_version, e.object_id, e.status, nullif(e.method, ''), nullif(e.note, ''), nullif(e.of_customer, ''), nullif(e.email, ''),
    e.livemode, e.payload, e.at, e.at, 1
FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::text[]), (SELECT $5::text[]), (SELECT $6::text[]),
    (SELECT $7::text[]), (SELECT $8::text[]), (SELECT $9::text[]), (SELECT $10::bool[]), (SELECT $11::bytea[]), (SELECT $12::timestamptz[]),
    (SELECT $13::text[]), (SELECT $14::text[]), (SELECT $15::text[]), (SELECT $16::text[]), (SELECT $17::text[]))
    AS e (id, type, api_version, object_id, status, method, note, of_customer, email, livemode, payload, at,
        intent, charge, session, subscription, customer)`

	// once leaves the row of an earlier delivery as it is, and says what was filed.
	once = ` ON CONFLICT (stripe_event_id) DO NOTHING RETURNING stripe_event_id`
)

// names are those by which something may be known here, and where.
var names = [...]struct {
	of     func(webhook.Subject) string
	column string
	places []string
}{
	{func(u webhook.Subject) string { return u.IntentID }, "intent", []string{"payments.payments.payment_intent_id"}},
	{func(u webhook.Subject) string { return u.ChargeID }, "charge", []string{"payments.payments.charge_id"}},
	{func(u webhook.Subject) string { return u.SessionID }, "session", []string{"payments.payments.checkout_session_id"}},
	{func(u webhook.Subject) string { return u.SubscriptionID }, "subscription", []string{"payments.subscriptions.subscription_id"}},
	{func(u webhook.Subject) string { return u.CustomerID }, "customer",
		[]string{"payments.payments.customer_id", "payments.customers.customer_id", "payments.customer_links.customer_id"}},
}

// unknown is the condition that a name is known in none of the places. It is
// looked up name by name, by the index; NOT EXISTS might read a whole table.
func unknown(name string, places []string) string {
	var none []string
	for _, place := range places {
		dot := strings.LastIndexByte(place, '.')
		none = append(none, fmt.Sprintf("(SELECT 1 FROM %s k WHERE k.%s = %s LIMIT 1) IS NULL", place[:dot], place[dot+1:], name))
	}
	return strings.Join(none, " AND ")
}

// fileManyUnlessKnown is fileMany for events of which each has its own names.
var fileManyUnlessKnown = func() string {
	var all []string
	for _, n := range names {
		name := "e." + n.column
		all = append(all, fmt.Sprintf("(%s = '' OR %s)", name, unknown(name, n.places)))
	}
	return fileMany + " WHERE " + strings.Join(all, " AND ") + once
}()

// fileAll files what several callers have, together.
func (s *Store) fileAll(ctx context.Context, callers [][]Finished) ([][]bool, error) {
	filed, err := s.fileTogether(ctx, slices.Concat(callers...))
	if err != nil {
		return nil, err
	}
	out := make([][]bool, len(callers))
	for i, events := range callers {
		out[i], filed = filed[:len(events)], filed[len(events):]
	}
	return out, nil
}

// fileTogether is one statement, and so one round trip and one transaction. When
// the database refuses a row, each is filed by itself.
func (s *Store) fileTogether(ctx context.Context, events []Finished) ([]bool, error) {
	filed := make([]bool, len(events))
	if len(events) == 1 { // cheaper than an array of one
		statement, args := events[0].insert()
		tag, err := s.pool.Exec(ctx, statement, args...)
		filed[0] = tag.RowsAffected() == 1
		if blamesARow(err) {
			return []bool{false}, nil
		}
		return filed, err
	}
	// In one order, so that no two commits wait for each other's events.
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(events[a].Event.ID, events[b].Event.ID) })
	rows, _ := s.pool.Query(ctx, fileManyUnlessKnown, arrays(events, order)...)
	written, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if blamesARow(err) {
		for i := range events {
			one, err := s.fileTogether(ctx, events[i:i+1])
			if err != nil {
				return nil, err
			}
			filed[i] = one[0]
		}
		return filed, nil
	}
	// They come back in their order. Of two deliveries of one event, the first filed it.
	for _, i := range order {
		if len(written) > 0 && events[i].Event.ID == written[0] {
			filed[i], written = true, written[1:]
		}
	}
	return filed, err
}

// arrays are the events by columns, with their names.
func arrays(events []Finished, order []int) []any {
	var texts [textColumns][]string
	var unless [len(names)][]string
	for i := range texts {
		texts[i] = make([]string, len(order))
	}
	for i := range unless {
		unless[i] = make([]string, len(order))
	}
	livemode, payloads, at := make([]bool, len(order)), make([][]byte, len(order)), make([]time.Time, len(order))
	for row, i := range order {
		f := events[i]
		for column, text := range f.texts() {
			texts[column][row] = text
		}
		for column, n := range names {
			unless[column][row] = n.of(f.Unless)
		}
		livemode[row], payloads[row], at[row] = f.Event.Livemode, f.payload(), f.Now
	}
	var args []any
	for _, t := range texts {
		args = append(args, t)
	}
	args = append(args, livemode, payloads, at)
	for _, u := range unless {
		args = append(args, u)
	}
	return args
}

// insert is fileOne, with a condition for the names that the event has.
func (f Finished) insert() (statement string, args []any) {
	for _, text := range f.texts() {
		args = append(args, text)
	}
	args = append(args, f.Event.Livemode, f.payload(), f.Now)
	var unless []string
	for _, n := range names {
		if name := n.of(f.Unless); name != "" {
			args = append(args, name)
			unless = append(unless, unknown(fmt.Sprintf("$%d::text", len(args)), n.places))
		}
	}
	if unless == nil {
		return fileOne + once, args
	}
	return fileOne + " WHERE " + strings.Join(unless, " AND ") + once, args
}

const textColumns = 9

func (f Finished) texts() [textColumns]string {
	e := f.Event
	return [...]string{e.ID, e.Type, e.APIVersion, e.ObjectID, f.Status, f.Method, f.Note, e.CustomerID, e.Email}
}

func (f Finished) payload() []byte {
	if f.Payload == nil {
		return []byte{} // an empty body is kept, too
	}
	return f.Payload
}
