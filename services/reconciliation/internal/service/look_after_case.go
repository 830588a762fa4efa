package service

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/reconciliation/internal/cases"
)

// ClaimDueCases takes at most limit cases of which is not known who waits, or that
// have slept enough. The claim moves their next look, so nothing is lost by a kill.
func (s *Service) ClaimDueCases(ctx context.Context, limit int) ([]int64, error) {
	return s.Store.ClaimDueCases(ctx, s.now(), limit)
}

// LookAfterCase finds out since when a customer waits because of a case and whether
// that is longer than was promised, and wakes it when it has slept enough. What could
// not be found out is asked again.
func (s *Service) LookAfterCase(ctx context.Context, id int64) error {
	c, err := s.Store.Case(ctx, id)
	if err != nil || c.State == cases.Resolved {
		return err
	}
	var waitErr error
	if c.WaitingSince == nil {
		c.WaitingSince, waitErr = s.waitingSince(ctx, c)
	}
	done := waitErr == nil
	if c.Kind == cases.StuckOrder && waitErr == nil {
		var urgent bool
		if urgent, waitErr = s.urgent(ctx, c); waitErr == nil {
			c.Urgent = urgent
		}
		done = c.Urgent // until then it may become so
	}
	return errors.Join(waitErr, s.noteCare(ctx, c, done))
}

// noteCare keeps what came of looking after a case. done: nothing is left to ask.
func (s *Service) noteCare(ctx context.Context, found cases.Case, done bool) error {
	return s.Store.InTx(ctx, func(tx pgx.Tx) error {
		c, err := s.Store.LockCase(ctx, tx, found.ID)
		if err != nil || c.State == cases.Resolved {
			return err
		}
		now := s.now()
		if c.WaitingSince == nil {
			c.WaitingSince = found.WaitingSince
		}
		c.Urgent = found.Urgent
		woken := c.SnoozedUntil != nil && !c.SnoozedUntil.After(now)
		if woken {
			c.SnoozedUntil = nil
		}
		if done && c.ReportedCount == found.ReportedCount {
			c.NextLookAt = nil
		}
		if c.SnoozedUntil != nil && (c.NextLookAt == nil || c.NextLookAt.After(*c.SnoozedUntil)) {
			c.NextLookAt = c.SnoozedUntil
		}
		if err := s.Store.UpdateCase(ctx, tx, c); err != nil || !woken {
			return err
		}
		return s.Store.AddCaseEvent(ctx, tx, c.ID, cases.Event{What: cases.Woken, Actor: cases.System, Note: "the time was up", At: now})
	})
}

// urgent says whether the buyer of a stuck order paid and has no access, and whether
// what they were promised has passed.
func (s *Service) urgent(ctx context.Context, c cases.Case) (bool, error) {
	id, ok := c.OrderID()
	if !ok {
		return false, nil
	}
	o, err := s.CaseFacts.Order(ctx, id)
	if err != nil || o == nil {
		return false, err
	}
	return o.PaidWithoutAccess && (o.PromisedBy == nil || !o.PromisedBy.After(s.now())), nil
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
