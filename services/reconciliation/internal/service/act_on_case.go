package service

import (
	"context"
	"strconv"
	"time"

	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/desk"
)

// actOnCase is an action about one case. Each change is its own guard: done again it
// finds nothing to change.
func (s *Service) actOnCase(ctx context.Context, a desk.Act, id int64, what string, do change) (Acted, error) {
	subjects := []string{"case/" + strconv.FormatInt(id, 10)}
	if c, err := s.Store.Case(ctx, id); err == nil {
		subjects = about(subjects, caseIsAbout(c))
	}
	var now cases.Case
	return s.act(ctx, a, deed{
		subjects: subjects,
		stands:   func(ctx context.Context) any { return s.caseStands(ctx, id) },
		do: func(ctx context.Context) (did, error) {
			var changed bool
			var err error
			if now, changed, err = s.changeCase(ctx, id, do, a.Actor, a.DryRun); err != nil {
				return did{}, err
			}
			step := desk.Step{What: what, Outcome: desk.NotNeeded, Note: "it was so already"}
			if changed {
				step = desk.Step{What: what, Outcome: a.Did()}
			}
			return did{steps: []desk.Step{step}}, nil
		},
		show: func(ctx context.Context, out *Acted) (err error) {
			if !a.DryRun {
				now, err = s.Case(ctx, id)
			}
			out.Case = &now
			return err
		},
	})
}

// caseIsAbout are the order, the charges and the event that a case is about.
func caseIsAbout(c cases.Case) (ids []string) {
	if id, ok := c.OrderID(); ok {
		ids = append(ids, id.String())
	}
	return append(append(ids, c.After("event/")), c.ChargeIDs()...)
}

// caseStands is how a case stands, for the audit.
func (s *Service) caseStands(ctx context.Context, id int64) any {
	c, err := s.Store.Case(ctx, id)
	if err != nil {
		return nil
	}
	return struct {
		Kind           cases.Kind  `json:"kind"`
		State          cases.State `json:"state"`
		ClaimedBy      string      `json:"claimed_by,omitempty"`
		AcknowledgedBy string      `json:"acknowledged_by,omitempty"`
		SnoozedUntil   *time.Time  `json:"snoozed_until,omitempty"`
		ResolvedBy     string      `json:"resolved_by,omitempty"`
		Resolution     string      `json:"resolution,omitempty"`
	}{c.Kind, c.State, c.ClaimedBy, c.AcknowledgedBy, c.SnoozedUntil, c.ResolvedBy, c.Resolution}
}
