// Package jobs runs River with defaults that fit money: a job that a crash
// interrupted is back within seconds instead of an hour.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// Timeout bounds one attempt at a job.
const Timeout = 15 * time.Second

// Config is what differs between services.
type Config struct {
	Schema string
	// Instance names this process and stays the same over its restarts, so that
	// it can take back what it was working on when it was killed. Two live
	// processes never share one: it contains the address they listen on.
	Instance string
	Pool     *pgxpool.Pool
	Workers  *river.Workers
	Log      *slog.Logger
}

// Client inserts and works jobs.
type Client struct {
	*river.Client[pgx.Tx]
	cfg   Config
	hands *hands
}

// New builds a client; Run makes it work.
func New(cfg Config) (*Client, error) {
	inHand := &hands{}
	c, err := river.NewClient(riverpgxv5.New(cfg.Pool), &river.Config{
		ID:                   cfg.Instance,
		Schema:               cfg.Schema,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 50}},
		Workers:              cfg.Workers,
		Middleware:           []rivertype.Middleware{inHand, &traced{}},
		Logger:               cfg.Log,
		JobTimeout:           Timeout,
		RescueStuckJobsAfter: goneAfter,
		FetchCooldown:        5 * time.Millisecond,
		FetchPollInterval:    time.Second,
		// The service's role may not reindex.
		ReindexerSchedule: river.NeverSchedule(),
	})
	if err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	return &Client{Client: c, cfg: cfg, hands: inHand}, nil
}

// stopFor is how long jobs in hand may take when the service stops: cutting off
// a mail server that is about to accept would repeat the mail.
const stopFor = 7 * time.Second

// Run first takes back the jobs that this instance was working on when it was
// killed, then works, and looks for what was lost, until ctx ends; it finishes what is
// in hand.
func (c *Client) Run(ctx context.Context) error {
	if err := c.takeBack(ctx); err != nil {
		return err
	}
	if err := c.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("river: %w", err)
	}
	c.findLost(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
	defer cancel()
	if c.Stop(stop) == nil {
		return nil
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return c.StopAndCancel(hard)
}

// takeBack makes interrupted jobs available now: River itself would wait for a
// leader election and its rescuer.
func (c *Client) takeBack(ctx context.Context) error {
	tag, err := c.cfg.Pool.Exec(ctx, `UPDATE `+pgx.Identifier{c.cfg.Schema, "river_job"}.Sanitize()+`
		SET state = 'available', scheduled_at = now()
		WHERE (state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1)
		   OR state = 'retryable'`, c.cfg.Instance)
	if err != nil {
		return fmt.Errorf("take back interrupted jobs: %w", err)
	}
	if n := tag.RowsAffected(); n > 0 {
		c.cfg.Log.Info("taking back unfinished jobs", "count", n)
	}
	return nil
}
