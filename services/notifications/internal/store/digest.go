package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/store/db"
)

// ClaimDigest says whether it is time to look at the digest; nobody else does before
// againAt.
func (s *Store) ClaimDigest(ctx context.Context, now, againAt time.Time) ([]bool, error) {
	claimed, err := db.New(s.pool).ClaimDigest(ctx, db.ClaimDigestParams{Now: now, AgainAt: againAt})
	return claimed, wrap("claim digest", err)
}

// DigestCovers is up to when the last digest went; nil before the first.
func (s *Store) DigestCovers(ctx context.Context) (*time.Time, error) {
	covered, err := db.New(s.pool).GetDigest(ctx)
	return covered, wrap("digest", err)
}

// LockDigest is DigestCovers, held until the transaction ends.
func (s *Store) LockDigest(ctx context.Context, tx pgx.Tx) (*time.Time, error) {
	covered, err := db.New(tx).LockDigest(ctx)
	return covered, wrap("lock digest", err)
}

// PutDigest writes up to when digests went, and when to look again.
func (s *Store) PutDigest(ctx context.Context, tx pgx.Tx, covered *time.Time, next time.Time) error {
	return wrap("put digest", db.New(tx).PutDigest(ctx, db.PutDigestParams{CoveredBefore: covered, LookAgainAt: next}))
}

// OpenIncidents are the first few that are not over, the most pressing first.
func (s *Store) OpenIncidents(ctx context.Context) ([]incident.Incident, error) {
	rows, err := db.New(s.pool).OpenIncidents(ctx)
	if err != nil {
		return nil, wrap("open incidents", err)
	}
	return toIncidents(rows)
}
