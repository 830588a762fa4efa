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
	cfg Config
}

// New builds a client; Start makes it work.
func New(cfg Config) (*Client, error) {
	c, err := river.NewClient(riverpgxv5.New(cfg.Pool), &river.Config{
		ID:                   cfg.Instance,
		Schema:               cfg.Schema,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 50}},
		Workers:              cfg.Workers,
		Logger:               cfg.Log,
		JobTimeout:           Timeout,
		RescueStuckJobsAfter: 20 * time.Second,
		FetchCooldown:        5 * time.Millisecond,
		FetchPollInterval:    time.Second,
		// The service's role may not reindex.
		ReindexerSchedule: river.NeverSchedule(),
	})
	if err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	return &Client{Client: c, cfg: cfg}, nil
}

// Start first takes back the jobs that this instance was working on when it was
// killed, then works until ctx ends.
func (c *Client) Start(ctx context.Context) error {
	// River itself would wait for a leader election and its rescuer.
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
	return c.Client.Start(ctx)
}

// Wait returns when the jobs in hand have ended after Start's context did.
func (c *Client) Wait() { <-c.Stopped() }
