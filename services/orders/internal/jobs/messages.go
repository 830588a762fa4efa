// Package jobs holds what River works for Orders: having Notifications accept
// a message that a committed order made true.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/jobs"
	"makegood.example/services/platform/process"
)

// MessageArgs is a message to hand over.
type MessageArgs struct {
	DedupeKey   string    `json:"dedupe_key"`
	MessageKind string    `json:"message_kind"`
	OrderID     uuid.UUID `json:"order_id"`
}

// Kind names the job in River's table.
func (MessageArgs) Kind() string { return "send_message" }

// caseAfterTries is how many refusals make a case for a person; with the
// backoff below that is about two minutes.
const caseAfterTries = 8

// MessageWorker hands messages to Notifications.
type MessageWorker struct {
	river.WorkerDefaults[MessageArgs]
	Notifications *clients.Notifications
	Cases         *clients.Cases
}

// Work hands one message over. It is idempotent by the dedupe key.
func (w *MessageWorker) Work(ctx context.Context, job *river.Job[MessageArgs]) error {
	m := clients.Message{DedupeKey: job.Args.DedupeKey, Kind: job.Args.MessageKind, OrderID: job.Args.OrderID}
	err := w.Notifications.Send(ctx, m)
	if err != nil && job.Attempt >= caseAfterTries {
		summary := fmt.Sprintf("message %s could not be handed to Notifications in %d tries", m.DedupeKey, job.Attempt)
		if caseErr := w.Cases.OpenAbout(ctx, clients.UndeliveredMessage, "message/"+m.DedupeKey, summary); caseErr != nil {
			return fmt.Errorf("%w (and no case could be opened: %w)", err, caseErr)
		}
	}
	return err
}

// NextRetry doubles from a second to an hour.
func (w *MessageWorker) NextRetry(job *river.Job[MessageArgs]) time.Time {
	return time.Now().Add(due.Backoff(time.Second, job.Attempt))
}

// Queue is the service's Messenger and, while it runs, works what was queued.
type Queue struct{ *jobs.Client }

// New makes the queue of the service that listens on addr.
func New(pool *pgxpool.Pool, addr string, worker *MessageWorker, log *slog.Logger) (Queue, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, worker)
	client, err := jobs.New(jobs.Config{
		Schema: "orders", Instance: process.Instance("orders", addr), Pool: pool, Workers: workers, Log: log,
	})
	return Queue{client}, err
}

// Queue inserts the job in the transaction that makes the message true.
func (q Queue) Queue(ctx context.Context, tx pgx.Tx, m clients.Message) error {
	return q.insert(ctx, tx, m, river.InsertOpts{})
}

// QueueOnce is Queue, unless the same is queued or was handed over within the day that
// jobs are kept: whoever repeats themselves must not fill the queue.
func (q Queue) QueueOnce(ctx context.Context, tx pgx.Tx, m clients.Message) error {
	return q.insert(ctx, tx, m, river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
}

// shownWithin is in what time a page that is open shows what is new: without a stream
// it asks every 36 seconds, at the slowest.
const shownWithin = time.Minute

// unlessShown marks what may be taken back.
const unlessShown = "unless-shown"

// QueueUnlessShown is Queue, in a minute, unless Withdraw takes it back before.
func (q Queue) QueueUnlessShown(ctx context.Context, tx pgx.Tx, m clients.Message) error {
	return q.insert(ctx, tx, m, river.InsertOpts{ScheduledAt: time.Now().Add(shownWithin), Tags: []string{unlessShown}})
}

// Withdraw takes back what waits in QueueUnlessShown. What is being handed over
// goes on.
func (q Queue) Withdraw(ctx context.Context, tx pgx.Tx, m clients.Message) error {
	_, err := tx.Exec(ctx, `DELETE FROM orders.river_job WHERE state IN ('scheduled', 'available')
		AND kind = $1 AND $2 = ANY (tags) AND args->>'dedupe_key' = $3`, MessageArgs{}.Kind(), unlessShown, m.DedupeKey)
	if err != nil {
		return fmt.Errorf("withdraw a message: %w", err)
	}
	return nil
}

func (q Queue) insert(ctx context.Context, tx pgx.Tx, m clients.Message, opts river.InsertOpts) error {
	opts.MaxAttempts = 1000 // hourly for weeks: a message is never given up in silence
	_, err := q.InsertTx(ctx, tx, MessageArgs{DedupeKey: m.DedupeKey, MessageKind: m.Kind, OrderID: m.OrderID}, &opts)
	return err
}
