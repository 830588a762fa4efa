package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/provisioning/internal/hook"
	"makegood.example/services/provisioning/internal/store"
)

// ReplayHooks has the app told again, with the same ids, and says of how many
// changes. Each account's are sent in their order.
func (s *Service) ReplayHooks(ctx context.Context, r store.Replay) (count int, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		now := s.now()
		if count, err = s.Store.QueueHooksAgain(ctx, tx, r.AccountID, r.Since, now); err != nil {
			return err
		}
		return s.Store.InsertHookReplay(ctx, tx, r, count, now)
	})
	return count, err
}

// ListHooks lists at most limit hooks, newest first.
func (s *Service) ListHooks(ctx context.Context, f store.HookFilter, limit int) ([]hook.Hook, error) {
	return s.Store.ListHooks(ctx, f, limit)
}

// Undelivered is how many hooks were not taken, and since when the oldest waits.
func (s *Service) Undelivered(ctx context.Context) (int64, *time.Time, error) {
	return s.Store.Undelivered(ctx)
}
