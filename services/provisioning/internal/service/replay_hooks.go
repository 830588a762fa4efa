package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/store"
)

// ReplayHooks has the app told again, with the same ids, and says of how many
// changes. Each account's are sent in their order. A dry run only counts them.
func (s *Service) ReplayHooks(ctx context.Context, r store.Replay, dry bool) (count int, err error) {
	if dry {
		return s.Store.CountHooksToQueueAgain(ctx, r)
	}
	err = s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		now := s.now()
		if count, err = s.Store.QueueHooksAgain(ctx, tx, r, now); err != nil {
			return err
		}
		return s.Store.InsertHookReplay(ctx, tx, r, count, now)
	})
	return count, err
}

// ListHooks lists at most limit hooks, newest first.
func (s *Service) ListHooks(ctx context.Context, f store.HookFilter, limit int) ([]store.ListedHook, error) {
	return s.Store.ListHooks(ctx, f, limit)
}

// Undelivered is how many hooks were not taken, and since when the oldest waits.
func (s *Service) Undelivered(ctx context.Context) (int64, *time.Time, error) {
	return s.Store.Undelivered(ctx)
}
