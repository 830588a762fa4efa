package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/balance"
	"makegood.example/services/reconciliation/internal/cases"
)

const (
	// integrity is the subject of the one case about all differences, and the name of
	// the cursor that says when everything was compared.
	integrity = "integrity"
	// comparedAlways is how far back charges are compared in every run; older ones are
	// when a deep pass is over, so that a run's work does not grow with the history.
	comparedAlways = 24 * time.Hour
	// lateAfter is for how long a charge may not be at rest before it is a difference
	// that a person is told of: what waits longer has a case of its own before.
	lateAfter = time.Hour
	// recheckPeriods is after how many periods everything is compared again while a
	// case is open, to see whether it has gone away.
	recheckPeriods = 5
	// named is how many differences the case names; the report lists them all.
	named = 5
)

// checkIntegrity compares money and records as the integrity report does, and keeps
// one case about what does not fit, until nothing differs any more. What differs is
// read once more before anybody is told: it may have changed while it was compared.
func (s *Service) checkIntegrity(ctx context.Context, w *sweep) error {
	if w.dry {
		return nil
	}
	err := s.checkDifferences(ctx, w)
	if err != nil {
		fault(ctx, w.progress, "money and records cannot be compared now", err)
		return fmt.Errorf("check integrity: %w", err)
	}
	return nil
}

func (s *Service) checkDifferences(ctx context.Context, w *sweep) error {
	known, open, err := s.Store.OpenCaseOf(ctx, cases.Discrepancy, integrity)
	if err != nil {
		return err
	}
	all := w.passOver
	if open && !all {
		last, _, err := s.Store.Cursor(ctx, integrity)
		if err != nil {
			return err
		}
		if all = s.now().Sub(last) >= recheckPeriods*s.Settings.Every; !all {
			return nil
		}
	}
	from := time.Time{}
	if !all {
		from = s.now().Add(-comparedAlways)
	}
	r, complete, err := s.differences(ctx, w, from)
	if err != nil || r.DifferenceCount == 0 && !all {
		return err
	}
	if r.DifferenceCount > 0 {
		if err := s.readDiffering(ctx, w, r); err != nil {
			return err
		}
		if r, complete, err = s.differences(ctx, w, time.Time{}); err != nil {
			return err
		}
	}
	if err := s.Store.MoveCursor(ctx, integrity, s.now(), s.now()); err != nil {
		return err
	}
	switch {
	case r.DifferenceCount > 0:
		summary := differ(r)
		if open && known.SaysTheSame(summary) {
			return nil
		}
		_, err = s.OpenCase(ctx, cases.Discrepancy, integrity, summary)
	case open && complete:
		_, err = s.closeCase(ctx, known, "nothing differs any more")
	}
	return err
}

// differences compares what was charged or moved since a time; zero is all. complete
// says that everything there is has been read.
func (s *Service) differences(ctx context.Context, w *sweep, from time.Time) (r balance.Report, complete bool, err error) {
	b := s.bounds(from, time.Time{}, s.now())
	b.OpenSince = b.Now.Add(-lateAfter)
	gaps, err := s.readSoFar(ctx, &b, w)
	if err == nil {
		err = s.Store.Differences(ctx, b, maxDifferences, &r)
	}
	if err == nil {
		err = s.compareOrders(ctx, b, &r)
	}
	return r, len(gaps) == 0, err
}

// readDiffering examines the charges that something differs about.
func (s *Service) readDiffering(ctx context.Context, w *sweep, r balance.Report) error {
	var ids []string
	for _, d := range r.Differences {
		if len(ids) < pageSize && (strings.HasPrefix(d.Subject, "ch_") || strings.HasPrefix(d.Subject, "py_")) {
			ids = append(ids, d.Subject)
		}
	}
	unread, err := s.lookAgain(ctx, w, ids)
	if err != nil && len(unread) < len(ids) {
		// One that cannot be read differs as it is recorded, and hides no other.
		fault(ctx, w.progress, "not all that differs can be read once more", err)
		return nil
	}
	return err
}

// differ says in words what differs.
func differ(r balance.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Stripe and what is recorded here differ in %d:", r.DifferenceCount)
	for i, d := range r.Differences[:min(len(r.Differences), named)] {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " %s: %s, expected %s and found %s", d.Subject, short(d.What), minor(d.ExpectedMinor, d.Currency), minor(d.FoundMinor, d.Currency))
	}
	b.WriteString("; GET /admin/v1/integrity lists all")
	return b.String()
}

// short cuts a reason that quotes another service.
func short(what string) string {
	if r := []rune(what); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return what
}

// minor writes an amount, which may be one that went out.
func minor(amount int64, currency string) string {
	if amount < 0 {
		return "-" + money.Display(-amount, currency)
	}
	return money.Display(amount, currency)
}
