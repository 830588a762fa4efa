package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/tracing"
	"makegood.example/services/provisioning/internal/hook"
	"makegood.example/services/provisioning/internal/store/db"
)

// TouchAccess makes an account due whose access may have changed.
func (s *Store) TouchAccess(ctx context.Context, tx pgx.Tx, accountID uuid.UUID, now time.Time) error {
	return mapError(s.q.WithTx(tx).TouchAccess(ctx, db.TouchAccessParams{AccountID: accountID, Now: &now, TraceParent: tracing.RecordedParent(ctx)}), nil)
}

// Due is an account that is due; Touched tells whether it changed since.
type Due struct {
	AccountID uuid.UUID
	Touched   int64
	// TraceParent is the trace that made it due; nil when that was not recorded.
	TraceParent *string
}

// ClaimDueAccess takes at most limit accounts that are due until lease.
func (s *Store) ClaimDueAccess(ctx context.Context, now, lease time.Time, limit int) ([]Due, error) {
	rows, err := s.q.ClaimDueAccess(ctx, db.ClaimDueAccessParams{Now: &now, Lease: &lease, RowLimit: int32(limit)})
	due := make([]Due, len(rows))
	for i, row := range rows {
		due[i] = Due(row)
	}
	return due, mapError(err, nil)
}

// LockLastHook finds what the newest hook of an account says, and holds it; its
// Sequence is 0 while there is none.
func (s *Store) LockLastHook(ctx context.Context, tx pgx.Tx, accountID uuid.UUID) (hook.Hook, error) {
	row, err := s.q.WithTx(tx).LockAccess(ctx, accountID)
	return hook.Hook{AccountID: row.AccountID, Sequence: row.LastSequence, Active: row.Active, Until: row.Until}, mapError(err, nil)
}

// InsertHook writes the next hook of a locked account.
func (s *Store) InsertHook(ctx context.Context, tx pgx.Tx, h hook.Hook) error {
	q := s.q.WithTx(tx)
	if err := q.InsertHook(ctx, db.InsertHookParams{
		ID: h.ID, AccountID: h.AccountID, Sequence: h.Sequence, Active: h.Active, Until: h.Until, ChangedAt: h.ChangedAt,
	}); err != nil {
		return mapError(err, nil)
	}
	return mapError(q.UpdateAccess(ctx, db.UpdateAccessParams{
		AccountID: h.AccountID, Active: h.Active, Until: h.Until, LastSequence: h.Sequence,
	}), nil)
}

// SettleAccess says when an account is looked at next; nil for when it changes. It
// does nothing when the account changed since it was claimed: it is due then.
func (s *Store) SettleAccess(ctx context.Context, d Due, next *time.Time) error {
	return mapError(s.q.SettleAccess(ctx, db.SettleAccessParams{AccountID: d.AccountID, Touched: d.Touched, NextLookAt: next}), nil)
}

// NextHook is the oldest queued hook of an account; nil when there is none.
func (s *Store) NextHook(ctx context.Context, accountID uuid.UUID) (*hook.Hook, error) {
	row, err := s.q.NextHook(ctx, accountID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	h := hookOf(row)
	return &h, mapError(err, nil)
}

// BeginHook counts a delivery that begins.
func (s *Store) BeginHook(ctx context.Context, h hook.Hook, now time.Time) (hook.Hook, error) {
	row, err := s.q.BeginHook(ctx, db.BeginHookParams{ID: h.ID, Now: &now})
	h.Attempts, h.FirstTriedAt = int(row.AttemptCount), row.FirstTriedAt
	return h, mapError(err, nil)
}

// FinishHook writes what came of a delivery. deliveredAt is nil unless it was taken.
func (s *Store) FinishHook(ctx context.Context, id uuid.UUID, state hook.State, lastError string, deliveredAt *time.Time) error {
	return mapError(s.q.FinishHook(ctx, db.FinishHookParams{ID: id, State: string(state), LastError: lastError, DeliveredAt: deliveredAt}), nil)
}

// HookFilter narrows a list of hooks.
type HookFilter struct {
	AccountID *uuid.UUID
	// Undelivered leaves out what was taken.
	Undelivered bool
	// BeforeAt and BeforeID are where the page before ended.
	BeforeAt time.Time
	BeforeID uuid.UUID
}

// ListedHook is a hook, and when its account is looked at next; nil for when its
// access changes.
type ListedHook struct {
	hook.Hook
	NextLookAt *time.Time
}

// ListHooks lists at most limit hooks, newest first.
func (s *Store) ListHooks(ctx context.Context, f HookFilter, limit int) ([]ListedHook, error) {
	rows, err := s.q.ListHooks(ctx, db.ListHooksParams{
		AccountID: f.AccountID, Undelivered: f.Undelivered, BeforeAt: f.BeforeAt, BeforeID: f.BeforeID, RowLimit: int32(limit),
	})
	list := make([]ListedHook, len(rows))
	for i, row := range rows {
		list[i] = ListedHook{hookOf(row.Hook), row.NextLookAt}
	}
	return list, mapError(err, nil)
}

// Undelivered is how many hooks were not taken, and since when the oldest waits;
// nil for none.
func (s *Store) Undelivered(ctx context.Context) (count int64, oldest *time.Time, err error) {
	row, err := s.q.Undelivered(ctx)
	if err != nil || row.HookCount == 0 {
		return 0, nil, mapError(err, nil)
	}
	return row.HookCount, &row.OldestAt, nil
}

// CountHooksToQueueAgain is how many hooks a replay would queue.
func (s *Store) CountHooksToQueueAgain(ctx context.Context, r Replay) (int, error) {
	count, err := s.q.CountHooksToQueueAgain(ctx, db.CountHooksToQueueAgainParams{AccountID: r.AccountID, Since: r.Since, Undelivered: r.Undelivered})
	return int(count), mapError(err, nil)
}

// QueueHooksAgain queues the hooks of a replay once more, to be sent now, and says how
// many they are. What is queued already begins anew, too: who asks does not want to
// wait for its next attempt.
func (s *Store) QueueHooksAgain(ctx context.Context, tx pgx.Tx, r Replay, now time.Time) (int, error) {
	q := s.q.WithTx(tx)
	accounts, err := q.QueueHooksAgain(ctx, db.QueueHooksAgainParams{AccountID: r.AccountID, Since: r.Since, Undelivered: r.Undelivered})
	if err != nil || len(accounts) == 0 {
		return 0, mapError(err, nil)
	}
	return len(accounts), mapError(q.TouchManyAccesses(ctx, db.TouchManyAccessesParams{AccountIds: accounts, Now: &now}), nil)
}

// Replay is a person's wish that the app is told again.
type Replay struct {
	// AccountID is nil for all accounts.
	AccountID *uuid.UUID
	Since     time.Time
	// Undelivered leaves out what an account's app took before the first hook since
	// then that it has not taken. What came after that is sent again behind it, so that
	// the newest is the last that the app hears.
	Undelivered   bool
	Actor, Reason string
}

// InsertHookReplay keeps who had how many hooks sent again, and why.
func (s *Store) InsertHookReplay(ctx context.Context, tx pgx.Tx, r Replay, count int, now time.Time) error {
	return mapError(s.q.WithTx(tx).InsertHookReplay(ctx, db.InsertHookReplayParams{
		AccountID: r.AccountID, Since: r.Since, HookCount: int64(count), Actor: r.Actor, Reason: r.Reason, At: now,
	}), nil)
}

func hookOf(row db.Hook) hook.Hook {
	return hook.Hook{
		ID: row.ID, AccountID: row.AccountID, Sequence: row.Sequence, Active: row.Active, Until: row.Until, ChangedAt: row.ChangedAt,
		State: hook.State(row.State), Attempts: int(row.AttemptCount), FirstTriedAt: row.FirstTriedAt, LastError: row.LastError, DeliveredAt: row.DeliveredAt,
	}
}
