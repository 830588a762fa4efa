package service

import (
	"context"
	"fmt"
	"slices"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store"
)

// firstLook is how far back charges are read when there is no cursor yet; what
// is older is the deep pass's.
const firstLook = 24 * time.Hour

// sweepCharges gives every charge made since the cursor its disposition.
func (s *Service) sweepCharges(ctx context.Context, w *sweep) error {
	return s.readOn(ctx, w, list{name: "charges", what: "charges", behind: firstLook, page: s.chargePage})
}

func (s *Service) chargePage(ctx context.Context, w *sweep, at clients.Window) (next string, err error) {
	charges, next, err := s.Payments.ListCharges(ctx, at)
	if err != nil {
		return "", err
	}
	known, err := s.Store.Dispositions(ctx, idsOf(charges))
	if err != nil {
		return "", err
	}
	charges = slices.DeleteFunc(charges, func(c disposition.Charge) bool {
		p, seen := known[c.ID]
		return seen && p.SeenByRun == w.runID // this run has read it already
	})
	return next, s.examine(ctx, w, charges)
}

// notShownAgain is when a charge that Stripe did not show is asked for again.
const notShownAgain = time.Hour

// readOpenAgain reads the charges that were not at rest when they were last
// seen, and that this run has not seen yet.
func (s *Service) readOpenAgain(ctx context.Context, w *sweep) error {
	now := s.now()
	for after := (store.ReadAgainPosition{}); ; {
		ids, last, err := s.Store.ToReadAgain(ctx, w.runID, now, after, pageSize)
		if err == nil && len(ids) > 0 {
			err = s.examineByID(ctx, w, ids)
		}
		if err != nil {
			fault(ctx, w.progress, "charges that are not at rest cannot be read again", err)
			return fmt.Errorf("read open charges again: %w", err)
		}
		if after = last; len(ids) < pageSize {
			return nil
		}
	}
}

// examineByID reads charges by their ids and examines them.
func (s *Service) examineByID(ctx context.Context, w *sweep, ids []string) error {
	charges, err := s.Payments.Charges(ctx, ids)
	if err != nil {
		return err
	}
	shown := make(map[string]bool, len(charges))
	for _, c := range charges {
		shown[c.ID] = true
	}
	var missing []string
	for _, id := range ids {
		if !shown[id] {
			missing = append(missing, id)
			fault(ctx, w.progress, "charge "+id, errNotShown)
		}
	}
	if len(missing) > 0 && !w.dry {
		if err := s.Store.PostponeReading(ctx, missing, s.now().Add(notShownAgain)); err != nil {
			return err
		}
	}
	return s.examine(ctx, w, charges)
}
