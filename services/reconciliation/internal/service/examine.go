package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

var (
	errNotShown = errors.New("it is not shown by Stripe any more")
	errUnread   = errors.New("it cannot be read at Stripe now; the next run reads it again")
)

// looked is one charge of a page while it is examined.
type looked struct {
	facts    disposition.Facts
	decision disposition.Decision
	previous *store.Previous
	orphan   bool // it had no order when the run looked, which is news
	mended   bool
	// withdrawn: Provisioning had lost that its access was, and it is again.
	withdrawn bool
	counted   bool // by another page of this run
}

// examine gives a page of charges their dispositions: matched in one question,
// mended where a machine can, matched once more, and kept in one statement. An
// error means that the page was not read; one bad charge is none.
func (s *Service) examine(ctx context.Context, w *sweep, charges []disposition.Charge) error {
	charges = unique(charges)
	if len(charges) == 0 {
		return nil
	}
	// What is mended takes its time. Money that moves meanwhile is not in what was read,
	// and its movement must be later than this for the charge to be read again.
	seenAt := s.now()
	known, err := s.Store.Dispositions(ctx, idsOf(charges))
	if err != nil {
		return err
	}
	page := make([]*looked, len(charges))
	for i, c := range charges {
		page[i] = &looked{facts: disposition.Facts{Charge: c, InFlight: s.now().Sub(c.CreatedAt) < s.Settings.Settles}}
		if p, ok := known[c.ID]; ok {
			page[i].previous = &p
			page[i].counted = p.SeenByRun == w.runID
		}
	}
	if err := s.matchSwept(ctx, page); err != nil {
		return err
	}
	var toMend []*looked
	for _, l := range page {
		l.decision = disposition.Decide(l.facts)
		l.orphan = l.isOrphan()
		w.noticeLoss(l)
		s.keepUnidentified(l)
		if l.decision.Step != disposition.Nothing {
			toMend = append(toMend, l)
		}
	}
	if err := s.mendAll(ctx, w, toMend); err != nil {
		return err
	}
	each(page, func(l *looked) { s.openCaseOf(ctx, w, l) })
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !w.dry {
		if err := s.Store.SaveDispositions(ctx, w.runID, seenAt, s.now(), s.toKeep(page)); err != nil {
			return err
		}
	}
	for _, l := range page {
		w.count(l)
	}
	return nil
}

// unidentifiedAgain is how long a charge that could not be written down, or of which
// no order could be made, is left to the person who has its case before it is tried
// again.
const unidentifiedAgain = time.Hour

// keepUnidentified leaves a charge that could not be adopted just now as it is:
// trying again would only report its case again.
func (s *Service) keepUnidentified(l *looked) {
	p := l.previous
	if p == nil || p.Kind != disposition.Quarantined || p.CaseKind != disposition.UnidentifiedCharge && p.CaseKind != disposition.UnclearEvent ||
		l.decision.Step != disposition.Tell || s.now().Sub(p.SeenAt) >= unidentifiedAgain {
		return
	}
	l.decision.Kind, l.decision.Reason, l.decision.Step, l.decision.Again = p.Kind, p.Reason, disposition.Nothing, p.CaseKind == disposition.UnclearEvent
	l.decision.Case = &disposition.Case{Kind: p.CaseKind, Subject: "charge/" + l.facts.Charge.ID, Summary: p.CaseSummary}
}

// isOrphan says whether it is news that a paid charge of ours has no order.
func (l *looked) isOrphan() bool {
	f := l.facts
	if f.Charge.Owner != disposition.Ours || !f.Charge.Taken() || f.Order != nil || f.InFlight || f.Trouble != "" || f.Charge.FullyRefunded() {
		return false
	}
	return l.previous == nil || l.previous.Kind != disposition.Quarantined
}

// openCaseOf opens the case that a charge needs, unless it was opened before for
// the same: who resolved it has decided about exactly that.
func (s *Service) openCaseOf(ctx context.Context, w *sweep, l *looked) {
	c := l.decision.Case
	if c != nil && c.Kind == disposition.ClaimedCharge && s.now().Sub(l.facts.Charge.CreatedAt) > s.Settings.DeepPassWindow {
		// What the checkout before sold so long ago is over: it is in the report, and
		// nobody is asked about each.
		l.decision.Case = nil
		return
	}
	if c == nil || w.dry || ctx.Err() != nil {
		return
	}
	if p := l.previous; p != nil && p.CaseKind == c.Kind && p.CaseSummary == c.Summary {
		return
	}
	if _, err := s.OpenCase(ctx, cases.Kind(c.Kind), c.Subject, c.Summary); err != nil {
		fault(ctx, w.progress, fmt.Sprintf("charge %s: the case %s about it cannot be opened", l.facts.Charge.ID, c.Kind), err)
		l.decision.Case, l.decision.Again = nil, true // so that it is tried again
	}
}

// Charges that are not at rest are read again: at every run while they are young,
// then at a tenth of their age, and at last hourly.
const (
	youngFor     = time.Hour
	readAgainMax = time.Hour
)

func (s *Service) toKeep(page []*looked) []store.Recorded {
	now := s.now()
	keep := make([]store.Recorded, len(page))
	for i, l := range page {
		r := store.Recorded{Charge: l.facts.Charge, Decision: l.decision}
		if g := l.facts.Grant; g != nil && !g.Revoked {
			r.AccessUntil = g.EndsAt
		}
		if o := l.facts.Order; o != nil {
			r.RecoveredBy, r.AccessAt = o.RecoveredBy, o.CompletedAt
		}
		if l.withoutAccess() {
			r.AccessAt = time.Time{} // it is gone, and its buyer waits like one who never had any
		}
		if l.decision.Again || l.decision.Kind == disposition.Open {
			r.ReadAgainAt = now
			if age := now.Sub(l.facts.Charge.CreatedAt); age > youngFor {
				r.ReadAgainAt = now.Add(min(age/10, readAgainMax))
			}
		}
		keep[i] = r
	}
	return keep
}

// withoutAccess says of a charge that needs something whether its buyer has no access.
func (l *looked) withoutAccess() bool {
	g := l.facts.Grant
	return (l.decision.Kind == disposition.Open || l.decision.Kind == disposition.Quarantined) && (g == nil || g.Revoked)
}

// count adds a charge to what the run has found, with a line when there is
// something to say.
func (w *sweep) count(l *looked) {
	d, c := l.decision, l.facts.Charge
	if d.Kind == "" {
		return
	}
	n := run.Counts{}
	if !l.counted {
		n = run.Counts{ChargesChecked: 1, Dispositions: map[string]int64{string(d.Kind): 1}}
	}
	if l.orphan && !l.counted {
		n.OrphansFound = 1
		if l.mended {
			n.OrphansRecovered = 1
		}
	}
	line := ""
	what := fmt.Sprintf("charge %s (%s) is %s: %s", c.ID, money.Display(c.AmountMinor, c.Currency), d.Kind, d.Reason)
	switch {
	case w.dry && d.Step == disposition.Advance:
		line = what + "; its order would be advanced"
	case w.dry && d.Step == disposition.Tell:
		line = what + "; Orders would be told"
	case l.orphan && l.mended:
		line = what + "; it had no order"
	case l.withdrawn:
		line = what + "; the withdrawal of its access was lost, and it is withdrawn again"
	case l.mended:
		line = what + "; it was not until now"
	case d.Kind == disposition.Open && l.facts.Trouble == "" && !l.facts.InFlight && c.Taken():
		line = what + "; it still is"
	case d.Case != nil && (l.previous == nil || l.previous.CaseSummary != d.Case.Summary):
		line = fmt.Sprintf("%s; case %s", what, d.Case.Kind)
	}
	w.progress.Add(n, line)
}

func said(err error) string {
	if e := apperr.Of(err); e != nil {
		return e.Message
	}
	return err.Error()
}

func unique(charges []disposition.Charge) []disposition.Charge {
	charges = slices.Clone(charges)
	slices.SortFunc(charges, func(a, b disposition.Charge) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(charges, func(a, b disposition.Charge) bool { return a.ID == b.ID })
}

func idsOf(charges []disposition.Charge) []string {
	ids := make([]string, len(charges))
	for i, c := range charges {
		ids[i] = c.ID
	}
	return ids
}
