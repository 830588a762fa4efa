package service

import (
	"context"
	"fmt"

	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/run"
)

// newestChecked is how many of the newest paid accesses each run looks for again, with
// their orders, grants and payments, wherever the histories stand: what
// a restored backup lacks is what was newest.
const newestChecked = 100

// noticeRestore notices that a database was restored from a backup: its history
// is shorter than it was, or the newest orders or grants are gone. Then
// everything is read again at once.
func (s *Service) noticeRestore(ctx context.Context, w *sweep) error {
	err := s.checkHistories(ctx, w)
	if err == nil {
		err = s.checkNewest(ctx, w)
	}
	if err != nil {
		fault(ctx, w.progress, "it cannot be checked whether a database was restored from a backup", err)
		return fmt.Errorf("check histories: %w", err)
	}
	return nil
}

func (s *Service) checkHistories(ctx context.Context, w *sweep) error {
	marks, err := s.Store.HistoryMarks(ctx)
	if err != nil {
		return err
	}
	_, orders, err := s.Orders.Find(ctx, nil)
	if err != nil {
		return err
	}
	_, grants, err := s.Provisioning.Match(ctx, nil)
	if err != nil {
		return err
	}
	for _, h := range []struct {
		service  string
		position int64
	}{{"orders", orders}, {"provisioning", grants}} {
		if mark, known := marks[h.service]; known && h.position < mark {
			w.lost(fmt.Sprintf("the history of %s went back from %d to %d", h.service, mark, h.position))
			w.wentBack = true
		}
		if w.dry || marks[h.service] == h.position {
			continue
		}
		// The mark goes back only together with what is to be done about it.
		w.marks = append(w.marks, func(ctx context.Context) error {
			return s.Store.SetHistoryMark(ctx, h.service, h.position, s.now())
		})
	}
	return nil
}

func (s *Service) checkNewest(ctx context.Context, w *sweep) error {
	newest, err := s.Store.NewestAccess(ctx, newestChecked)
	if err != nil || len(newest) == 0 {
		return err
	}
	orders, _, err := s.Orders.Find(ctx, newest)
	if err != nil {
		return err
	}
	ids := make([]string, len(newest))
	for i, c := range newest {
		ids[i] = c.OrderID
	}
	grants, _, err := s.Provisioning.Match(ctx, ids)
	if err != nil {
		return err
	}
	recorded, err := s.Payments.Recorded(ctx, idsOf(newest))
	if err != nil {
		return err
	}
	var gone []string
	for _, c := range newest {
		if _, known := orders[c.ID]; !known {
			w.lost(fmt.Sprintf("order %s of charge %s is gone", c.OrderID, c.ID))
		} else if _, granted := grants[c.OrderID]; !granted {
			w.lost(fmt.Sprintf("the access that order %s gave is gone", c.OrderID))
		} else if !recorded[c.ID] {
			w.lost(fmt.Sprintf("what Payments knew of charge %s is gone", c.ID))
		} else {
			continue
		}
		gone = append(gone, c.ID)
	}
	if len(gone) == 0 {
		return nil
	}
	return s.examineByID(ctx, w, gone) // these need not wait for their turn
}

// lost notes that records of ours are gone; the first sign is told.
func (w *sweep) lost(sign string) {
	if w.lostBecause == "" && !w.inPass {
		w.lostBecause = recordsLost + sign
		next := "everything is read again"
		if w.dry {
			next = "everything would be read again"
		}
		w.progress.Add(run.Counts{}, "a database was restored from a backup: "+sign+"; "+next)
	}
}

// recordsLost begins the reason of a deep pass that makes good a restored backup.
const recordsLost = "records were lost: "

// noticeLoss notices on a charge that what was known of it is gone.
func (w *sweep) noticeLoss(l *looked) {
	p, f := l.previous, l.facts
	if p == nil || p.Kind != disposition.Matched && p.Kind != disposition.Recovered {
		return
	}
	switch {
	case f.Trouble != "" || f.Charge.Owner != disposition.Ours:
	case f.Order == nil:
		w.lost(fmt.Sprintf("order %s of charge %s is gone", p.OrderID, f.Charge.ID))
	case f.Grant == nil:
		w.lost(fmt.Sprintf("the access that order %s gave is gone", p.OrderID))
	case !f.Charge.Recorded:
		w.lost(fmt.Sprintf("what Payments knew of charge %s is gone", f.Charge.ID))
	}
}
