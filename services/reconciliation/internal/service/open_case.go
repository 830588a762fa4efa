package service

import (
	"context"

	"makegood.example/services/reconciliation/internal/cases"
)

// OpenCase keeps something that a machine has given up on for a person.
// Reported again while open, it is the same case, with the newer summary.
func (s *Service) OpenCase(ctx context.Context, kind cases.Kind, subject, summary string) (cases.Case, error) {
	c, err := s.Store.OpenCase(ctx, kind, subject, summary, s.now())
	if err == nil && c.ReportedCount == 1 {
		s.Log.Warn("case opened", "case_id", c.ID, "kind", c.Kind, "subject", c.Subject)
	}
	return c, err
}
