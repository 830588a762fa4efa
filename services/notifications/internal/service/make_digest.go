package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
)

const (
	// digestAgainAfter is the pause until a digest that could not be made is tried again.
	digestAgainAfter = 5 * time.Minute
	// digestPatience is how long after the morning began a digest waits until all is
	// read; then it says what is missing.
	digestPatience = time.Hour
	// digestDays is the most that one digest is about, after a long silence.
	digestDays = 31
)

// ClaimDigest says whether it is time to look at the digest.
func (s *Service) ClaimDigest(ctx context.Context, _ int) ([]bool, error) {
	now := s.now()
	return s.Store.ClaimDigest(ctx, now, now.Add(digestAgainAfter))
}

// MakeDigest makes the digest of the days that none was about, once their last night
// is over: as an incident that is over when it is made, told as all are. When
// Reconciliation cannot prove them, it is tried again for a while.
func (s *Service) MakeDigest(ctx context.Context, _ bool) error {
	covered, err := s.Store.DigestCovers(ctx)
	if err != nil {
		return err
	}
	now := s.now()
	local := now.In(s.Quiet.Zone())
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, local.Location())
	morning := s.Quiet.Morning(local)
	switch {
	case covered == nil: // of days before the first there is nobody to tell
		return s.coverUntil(ctx, nil, midnight, nil, incident.Event{})
	case !covered.Before(midnight):
		return s.coverUntil(ctx, covered, *covered, nil, incident.Event{})
	case now.Before(morning):
		return s.coverUntil(ctx, covered, *covered, nil, incident.Event{})
	}
	if quiet := s.Quiet.End(now); quiet.After(now) {
		return nil // looked at again and again until then; it is late anyway
	}
	days := incident.Days{From: covered.In(local.Location()), Before: midnight}
	if oldest := midnight.AddDate(0, 0, -digestDays); days.From.Before(oldest) {
		days.From = oldest
	}
	proof, err := s.Runs.Prove(ctx, days.From, days.Before)
	if patient := now.Before(morning.Add(digestPatience)); err != nil && patient {
		return err
	} else if proof.Incomplete != "" && patient {
		s.Log.InfoContext(ctx, "the digest waits until all is read", "missing", proof.Incomplete)
		return nil
	}
	if err != nil {
		proof.Incomplete = "Reconciliation could not be asked (" + err.Error() + ")"
	}
	open, err := s.Store.OpenIncidents(ctx)
	if err != nil {
		return err
	}
	i, e := incident.MakeDigest(days.Key(), incident.DigestWords(days, proof, open), now)
	return s.coverUntil(ctx, covered, midnight, &i, e)
}

// coverUntil writes that digests went up to a time, with the one that did, and looks
// again in the next morning. Where another instance has been, nothing is left to do.
func (s *Service) coverUntil(ctx context.Context, was *time.Time, until time.Time, digest *incident.Incident, e incident.Event) error {
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		covered, err := s.Store.LockDigest(ctx, tx)
		if err != nil || (covered == nil) != (was == nil) || covered != nil && !covered.Equal(*was) {
			return err
		}
		if digest != nil {
			if err := s.begin(ctx, tx, *digest, e); err != nil {
				return err
			}
		}
		// The morning after the last day that is covered.
		next := s.Quiet.Morning(until.In(s.Quiet.Zone()).AddDate(0, 0, 1))
		if now := s.now(); !next.After(now) {
			next = now.Add(digestAgainAfter)
		}
		return s.Store.PutDigest(ctx, tx, &until, next)
	})
}
