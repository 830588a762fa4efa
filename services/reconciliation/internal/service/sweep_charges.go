package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/run"
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
// seen, and that this run has not seen yet, for as long as one list may be read: those
// that waited longest first. A page that cannot be read keeps no other from it.
func (s *Service) readOpenAgain(ctx context.Context, w *sweep) error {
	now := s.now()
	var failed []error
	for after := (store.ReadAgainPosition{}); ; {
		ids, last, err := s.Store.ToReadAgain(ctx, w.runID, now, after, pageSize)
		listed := err == nil
		if listed && len(ids) > 0 {
			err = s.examineByID(ctx, w, ids)
		}
		if err != nil {
			fault(ctx, w.progress, "charges that are not at rest cannot be read again", err)
			failed = append(failed, fmt.Errorf("read open charges again: %w", err))
		}
		if after = last; !listed || ctx.Err() != nil || len(ids) < pageSize {
			return errors.Join(failed...)
		}
		if s.now().Sub(now) >= s.readsAtMost() {
			w.progress.Add(run.Counts{}, "not all charges that are not at rest were read again; the next run goes on")
			return errors.Join(failed...)
		}
	}
}

// examineByID reads charges by their ids and examines them. One that cannot be read
// now is due in the next run, and keeps no other from being examined.
func (s *Service) examineByID(ctx context.Context, w *sweep, ids []string) error {
	charges, unread, err := s.Payments.MostCharges(ctx, ids)
	if err != nil {
		return err
	}
	shown := make(map[string]bool, len(charges)+len(unread))
	for _, id := range unread {
		shown[id] = true
	}
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
	return errors.Join(s.examine(ctx, w, charges), s.leaveUnread(ctx, w, unread))
}

// leaveUnread leaves charges that cannot be read now to the next run. Errors: when one
// was never seen, so that nothing would have that run read it.
func (s *Service) leaveUnread(ctx context.Context, w *sweep, ids []string) error {
	for _, id := range ids {
		fault(ctx, w.progress, "charge "+id, errUnread)
	}
	if len(ids) == 0 || w.dry {
		return nil
	}
	n, err := s.Store.ReadAgain(ctx, ids, s.now())
	if err == nil && n < len(ids) {
		err = errUnread
	}
	return err
}
