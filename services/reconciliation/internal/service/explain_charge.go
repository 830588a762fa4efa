package service

import (
	"context"
	"time"

	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store"
)

// Explanation says what a charge is, and what it was when it was last seen.
type Explanation struct {
	// Recorded is nil when no sweep has seen it.
	Recorded *store.Previous
	Now      disposition.Decision
}

// ExplainCharge reads one charge from Stripe and says what it is. It changes
// nothing. Errors: desk.ErrChargeNotFound.
func (s *Service) ExplainCharge(ctx context.Context, chargeID string) (Explanation, error) {
	charges, err := s.Payments.Charges(ctx, []string{chargeID})
	if err != nil {
		return Explanation{}, err
	}
	if len(charges) != 1 {
		return Explanation{}, desk.ErrChargeNotFound
	}
	known, err := s.Store.Dispositions(ctx, []string{chargeID})
	if err != nil {
		return Explanation{}, err
	}
	l := &looked{facts: disposition.Facts{Charge: charges[0]}}
	if err := s.match(ctx, []*looked{l}); err != nil {
		return Explanation{}, err
	}
	p, seen := known[chargeID]
	if seen && l.facts.Order == nil && p.CaseKind == disposition.UnidentifiedCharge {
		l.facts.CannotAdopt = "the last sweep tried" // reading again would write it down
	}
	e := Explanation{Now: disposition.Decide(l.facts)}
	if seen {
		e.Recorded = &p
	}
	switch {
	case e.Now.Kind == "":
		e.Now.Reason = "it failed: no money was taken"
	case e.Now.Step == disposition.Advance:
		e.Now.Evidence = append(e.Now.Evidence, "the next sweep has its order advanced")
	case e.Now.Step == disposition.Tell:
		e.Now.Evidence = append(e.Now.Evidence, "the next sweep has Orders told of it")
	}
	if seen {
		e.Now.Evidence = append(e.Now.Evidence, "recorded as "+string(p.Kind)+" since "+p.DecidedAt.UTC().Format(time.RFC3339)+": "+p.Reason)
		if p.CaseKind != "" {
			e.Now.Evidence = append(e.Now.Evidence, "a case "+string(p.CaseKind)+" was opened about it")
		}
	}
	return e, nil
}
