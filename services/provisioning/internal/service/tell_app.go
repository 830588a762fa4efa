package service

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/due"
	"makegood.example/services/platform/tracing"
	"makegood.example/services/provisioning/internal/app"
	"makegood.example/services/provisioning/internal/grant"
	"makegood.example/services/provisioning/internal/hook"
	"makegood.example/services/provisioning/internal/store"
)

// hooksALook is how many hooks of one account are sent in one look, so that the
// claim outlasts them.
const hooksALook = 5

// lease is for how long a claimed account is left to its worker: longer than all
// deliveries of one look.
const lease = 90 * time.Second

// ClaimDueAccess takes at most limit accounts of which the app may have to be told.
func (s *Service) ClaimDueAccess(ctx context.Context, limit int) ([]store.Due, error) {
	now := s.now()
	return s.Store.ClaimDueAccess(ctx, now, now.Add(lease), limit)
}

// TellApp writes a hook when an account's access is not what its newest hook says,
// and sends what is queued, one after the other: the next is sent when the one
// before was taken, or given up on. What cannot be delivered is tried again with
// growing pauses, for days.
func (s *Service) TellApp(ctx context.Context, d store.Due) error {
	tracing.Link(ctx, d.TraceParent)
	next, err := s.noticeAccess(ctx, d.AccountID)
	if err != nil {
		return err
	}
	for range hooksALook {
		h, err := s.Store.NextHook(ctx, d.AccountID)
		if err != nil {
			return err
		}
		if h == nil {
			return s.Store.SettleAccess(ctx, d, next)
		}
		retryAt, err := s.send(ctx, *h)
		if err != nil {
			return err
		}
		if retryAt != nil {
			return s.Store.SettleAccess(ctx, d, retryAt)
		}
	}
	now := s.now()
	return s.Store.SettleAccess(ctx, d, &now)
}

// noticeAccess writes the account's next hook if its access changed, and answers
// when it may change next by itself.
func (s *Service) noticeAccess(ctx context.Context, accountID uuid.UUID) (next *time.Time, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := s.Store.LockAccount(ctx, tx, accountID); err != nil {
			return err
		}
		held, err := s.Store.HeldNow(ctx, tx, accountID)
		if err != nil {
			return err
		}
		last, err := s.Store.LockLastHook(ctx, tx, accountID)
		if err != nil {
			return err
		}
		now := s.now()
		next = grant.NextChange(now, held, s.Settings.GracePeriod)
		active, until := grant.Access(now, held, s.Settings.GracePeriod)
		if last.Sequence > 0 && last.Active == active && same(last.Until, until) {
			return nil
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		return s.Store.InsertHook(ctx, tx, hook.Hook{
			ID: id, AccountID: accountID, Sequence: last.Sequence + 1, Active: active, Until: until, ChangedAt: now,
		})
	})
	return next, err
}

func same(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// send delivers one hook; retryAt is when to try it again, nil when it is done with.
func (s *Service) send(ctx context.Context, h hook.Hook) (retryAt *time.Time, err error) {
	now := s.now()
	if h, err = s.Store.BeginHook(ctx, h, now); err != nil {
		return nil, err
	}
	cause := s.App.Tell(ctx, h, now)
	if cause == nil {
		at := s.now()
		return nil, s.Store.FinishHook(ctx, h.ID, hook.Delivered, "", &at)
	}
	var refused *app.Refused
	if !errors.As(cause, &refused) {
		return nil, cause
	}
	now = s.now()
	s.Log.WarnContext(ctx, "the app did not take a hook", "account_id", h.AccountID, "hook_id", h.ID, "attempt", h.Attempts, "reason", refused.Why)
	triedFor := now.Sub(*h.FirstTriedAt)
	if triedFor >= hook.Overdue && s.reportNotTaken(ctx, h, refused.Why) && triedFor >= hook.GiveUpAfter {
		return nil, s.Store.FinishHook(ctx, h.ID, hook.Failed, refused.Why, nil)
	}
	at := now.Add(max(due.Backoff(hook.FirstRetry, h.Attempts), refused.RetryAfter))
	return &at, s.Store.FinishHook(ctx, h.ID, hook.Queued, refused.Why, nil)
}

// reportNotTaken makes it a case for people, and says whether it is one: nothing is
// given up on before.
func (s *Service) reportNotTaken(ctx context.Context, h hook.Hook, why string) bool {
	err := s.Cases.HooksNotTaken(ctx, "the app does not take what it is told of access: "+why)
	if err != nil {
		s.Log.WarnContext(ctx, "no case could be opened; the next delivery opens it", "hook_id", h.ID, "error", err)
	}
	return err == nil
}
