// Package jobs works deliveries with River: durable, retried, shared by as many
// instances as there are.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/platform/jobs"
	"makegood.example/services/platform/process"
)

// deliverArgs names the message to deliver; all else is read when it runs.
type deliverArgs struct {
	MessageID uuid.UUID `json:"message_id"`
}

func (deliverArgs) Kind() string { return "deliver_message" }

// InsertOpts keeps the job alive for longer than any outage: when a message is
// given up is the deliverer's decision, which also opens the case.
func (deliverArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 10_000} }

// deliverer delivers one message; nil says that it is at rest.
type deliverer interface {
	Deliver(ctx context.Context, id uuid.UUID) error
}

// deliver works one delivery.
type deliver struct {
	river.WorkerDefaults[deliverArgs]
	deliverer deliverer
}

func (w *deliver) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	err := w.deliverer.Deliver(ctx, job.Args.MessageID)
	if errors.Is(err, message.ErrNotFound) {
		return river.JobCancel(err)
	}
	return err
}

func (w *deliver) NextRetry(job *river.Job[deliverArgs]) time.Time {
	// The errors, not the attempts: an attempt that a restart cut short is no
	// reason to wait longer. The error of now is not yet among them.
	d := delay(len(job.Errors) + 1)
	return time.Now().Add(d + rand.N(d/5))
}

// delay is the pause after so many failures: quick while a customer looks at
// their inbox, then hourly for a day, then now and again.
func delay(failures int) time.Duration {
	first := []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	switch {
	case failures <= len(first):
		return first[max(failures, 1)-1]
	case failures <= len(first)+12:
		return time.Hour
	default:
		return 4 * time.Hour
	}
}

// Queue accepts deliveries and, while it runs, works them.
type Queue struct{ *jobs.Client }

// New makes the queue of the service that listens on addr.
func New(pool *pgxpool.Pool, addr string, d deliverer, log *slog.Logger) (Queue, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &deliver{deliverer: d})
	client, err := jobs.New(jobs.Config{
		Schema: "notifications", Instance: process.Instance("notifications", addr), Pool: pool, Workers: workers, Log: log,
	})
	return Queue{client}, err
}

// EnqueueDelivery makes the delivery as durable as tx.
func (q Queue) EnqueueDelivery(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	if _, err := q.InsertTx(ctx, tx, deliverArgs{MessageID: id}, nil); err != nil {
		return fmt.Errorf("enqueue delivery: %w", err)
	}
	return nil
}
