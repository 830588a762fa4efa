package jobs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
)

// A job is lost when its row says that somebody works on it and nobody does: the
// connection broke when it was handed out, or its end could not be recorded, or a
// machine is gone. River itself would see it after up to 50 seconds.
const (
	// lookForLost is how often a process looks for jobs that it lost itself. One is
	// believed to be lost when two looks in a row found it so.
	lookForLost = 2 * time.Second
	// begunBy is how soon a job that was handed out is begun, and ended is how long its
	// end may take to be recorded, before it may be lost.
	begunBy, recordedBy = 3 * time.Second, 10 * time.Second
	// goneAfter is when nobody can still be at work on a job: its attempt has timed out.
	goneAfter = 20 * time.Second
)

// hands are the jobs that this process works on.
type hands struct {
	mu    sync.Mutex
	jobs  map[int64]time.Time // when each ended; zero while it is worked on
	doubt map[int64]bool      // seemed lost at the last look
}

// IsMiddleware makes hands part of River's way of working a job.
func (h *hands) IsMiddleware() bool { return true }

// Work notes that a job is in hand.
func (h *hands) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	h.note(job.ID, time.Time{})
	defer func() { h.note(job.ID, time.Now()) }() // also when it panics
	return work(ctx)
}

func (h *hands) note(id int64, ended time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs == nil {
		h.jobs = map[int64]time.Time{}
	}
	h.jobs[id] = ended
}

// held lists what is in hand or was a moment ago, and forgets what is over.
func (h *hands) held(now time.Time) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := make([]int64, 0, len(h.jobs))
	for id, ended := range h.jobs {
		if !ended.IsZero() && now.Sub(ended) > recordedBy {
			delete(h.jobs, id)
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// twice keeps the ids that were in doubt at the last look, too. A process that was
// paused finds its own jobs first in doubt and then in hand.
func (h *hands) twice(ids []int64) (sure []int64) {
	doubt := map[int64]bool{}
	for _, id := range ids {
		if h.doubt[id] {
			sure = append(sure, id)
		}
		doubt[id] = true
	}
	h.doubt = doubt
	return sure
}

// findLost looks for lost jobs until ctx ends. What cannot be read now is read by the
// next look.
func (c *Client) findLost(ctx context.Context) {
	tick := time.NewTicker(lookForLost)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.takeBackLost(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("lost jobs cannot be looked for; trying again", "error", err)
		}
	}
}

// takeBackLost makes available what is certainly lost: by this process, or by one
// that has been silent for longer than an attempt may take.
func (c *Client) takeBackLost(ctx context.Context) error {
	table := pgx.Identifier{c.cfg.Schema, "river_job"}.Sanitize()
	rows, err := c.cfg.Pool.Query(ctx, `SELECT id FROM `+table+` WHERE state = 'running' AND id <> ALL($1)
		AND (attempted_at < now() - $2::interval AND attempted_by[array_upper(attempted_by, 1)] = $3 OR attempted_at < now() - $4::interval)`,
		c.hands.held(time.Now()), begunBy, c.cfg.Instance, goneAfter)
	if err != nil {
		return fmt.Errorf("look for lost jobs: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("look for lost jobs: %w", err)
	}
	sure := c.hands.twice(ids)
	if len(sure) == 0 {
		return nil
	}
	// Whoever took one meanwhile has only just begun with it.
	tag, err := c.cfg.Pool.Exec(ctx, `UPDATE `+table+` SET state = 'available', scheduled_at = now()
		WHERE id = ANY($1) AND state = 'running' AND attempted_at < now() - $2::interval`, sure, begunBy)
	if err != nil {
		return fmt.Errorf("take back lost jobs: %w", err)
	}
	if n := tag.RowsAffected(); n > 0 {
		c.cfg.Log.Warn("taking back lost jobs", "count", n)
	}
	return nil
}
