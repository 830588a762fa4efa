package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/reconciliation/internal/cases"
)

// ClaimDueCases takes at most limit cases of which the team is to be told, or that
// have slept enough. The claim moves their next look, so nothing is lost by a kill.
func (s *Service) ClaimDueCases(ctx context.Context, limit int) ([]int64, error) {
	return s.Store.ClaimDueCases(ctx, s.now(), limit)
}

// LookAfterCase finds out since when a customer waits because of a case, has the
// team told of it once, and wakes it when it has slept enough. What could not be done
// is tried again.
func (s *Service) LookAfterCase(ctx context.Context, id int64) error {
	c, err := s.Store.Case(ctx, id)
	if err != nil || c.State == cases.Resolved {
		return err
	}
	var waitErr, tellErr error
	if c.WaitingSince == nil {
		c.WaitingSince, waitErr = s.waitingSince(ctx, c)
	}
	told := c.ToldAt != nil
	if !told {
		title, lines := c.Told(s.now())
		tellErr = s.CaseFacts.AlertTeam(ctx, fmt.Sprintf("case/%d", c.ID), title, lines)
		told = tellErr == nil
	}
	return errors.Join(waitErr, tellErr, s.noteCare(ctx, c.ID, c.WaitingSince, told, waitErr == nil && tellErr == nil))
}

// noteCare keeps what came of looking after a case. done: nothing is left to try.
func (s *Service) noteCare(ctx context.Context, id int64, waitingSince *time.Time, told, done bool) error {
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		c, err := s.Store.LockCase(ctx, tx, id)
		if err != nil || c.State == cases.Resolved {
			return err
		}
		now := s.now()
		if c.WaitingSince == nil {
			c.WaitingSince = waitingSince
		}
		if told && c.ToldAt == nil {
			c.ToldAt = &now
		}
		woken := c.SnoozedUntil != nil && !c.SnoozedUntil.After(now)
		if woken {
			c.SnoozedUntil = nil
		}
		if done {
			c.NextLookAt = c.SnoozedUntil
		}
		if err := s.Store.UpdateCase(ctx, tx, c); err != nil || !woken {
			return err
		}
		return s.Store.AddCaseEvent(ctx, tx, id, cases.Event{What: cases.Woken, Actor: cases.System, Note: "the time was up", At: now})
	})
}

// waitingSince is since when a customer waits because of a case; nil when nobody
// does.
func (s *Service) waitingSince(ctx context.Context, c cases.Case) (*time.Time, error) {
	switch c.Waits() {
	case cases.SinceOpened:
		return &c.OpenedAt, nil
	case cases.SinceOrder:
		id, _ := c.OrderID()
		o, err := s.CaseFacts.Order(ctx, id)
		switch {
		case err != nil || o == nil:
			return nil, err
		case o.ChargedAt != nil:
			return o.ChargedAt, nil
		}
		return &o.CreatedAt, nil
	case cases.SinceCharge:
		ids := c.ChargeIDs()
		if len(ids) == 0 {
			return &c.OpenedAt, nil
		}
		charges, err := s.CaseFacts.Charges(ctx, ids[:1])
		if err != nil {
			return nil, err
		}
		if charge, ok := charges[ids[0]]; ok {
			return &charge.CreatedAt, nil
		}
		return &c.OpenedAt, nil
	default:
		return nil, nil
	}
}
