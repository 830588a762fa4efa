// Package store keeps runs, cases and the schedule in PostgreSQL. It has no
// rules of its own beyond the constraints.
package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store/db"
)

// Store reads and writes the schema reconciliation.
type Store struct {
	pool *pgxpool.Pool
	q    *db.Queries
}

// New makes a store on pool.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool, q: db.New(pool)} }

// mapError is the one place where a violated constraint becomes a domain error.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	switch pg.ViolatedConstraint(err) {
	case "runs_one_running":
		return run.ErrInProgress.Because(err)
	}
	return fmt.Errorf("store: %w", err)
}

// ClaimSweeps takes at most limit sweeps that are due and moves their next look
// one period forward. Of several instances, one gets each.
func (s *Store) ClaimSweeps(ctx context.Context, now time.Time, every time.Duration, limit int) ([]string, error) {
	names, err := s.q.ClaimSweeps(ctx, db.ClaimSweepsParams{Now: now, NextLookAt: now.Add(every), MaxRows: int32(limit)})
	return names, mapError(err)
}
