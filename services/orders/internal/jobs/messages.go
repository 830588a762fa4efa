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
	return q.insert(ctx, tx, m, river.UniqueOpts{})
}

// QueueOnce is Queue, unless the same is queued or was handed over within the day that
// jobs are kept: whoever repeats themselves must not fill the queue.
func (q Queue) QueueOnce(ctx context.Context, tx pgx.Tx, m clients.Message) error {
	return q.insert(ctx, tx, m, river.UniqueOpts{ByArgs: true})
}

func (q Queue) insert(ctx context.Context, tx pgx.Tx, m clients.Message, unique river.UniqueOpts) error {
	// Hourly for weeks: a message is never given up in silence.
	_, err := q.InsertTx(ctx, tx, MessageArgs{DedupeKey: m.DedupeKey, MessageKind: m.Kind, OrderID: m.OrderID},
		&river.InsertOpts{MaxAttempts: 1000, UniqueOpts: unique})
	return err
}
