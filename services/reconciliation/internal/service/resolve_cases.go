package service

import (
	"context"
	"fmt"

	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/run"
)

// resolveStuckOrderCases closes the cases of orders that are at rest by now,
// however they got there, so that nobody works on what is already well.
func (s *Service) resolveStuckOrderCases(ctx context.Context, p *run.Progress) error {
	var after cases.Position
	for ctx.Err() == nil {
		page, err := s.Store.ListCases(ctx, cases.Open, cases.StuckOrder, after, pageSize)
		if err != nil {
			fault(ctx, p, "open cases cannot be listed", err)
			return fmt.Errorf("list open cases: %w", err)
		}
		each(page, func(c cases.Case) {
			if ctx.Err() == nil {
				s.resolveIfAtRest(ctx, p, c)
			}
		})
		if len(page) < pageSize {
			break
		}
		after = page[len(page)-1].Position()
	}
	return context.Cause(ctx)
}

func (s *Service) resolveIfAtRest(ctx context.Context, p *run.Progress, c cases.Case) {
	orderID, ok := c.OrderID()
	if !ok {
		return // reported about something else; a person closes it
	}
	state, atRest, err := s.Orders.AtRest(ctx, orderID)
	if err != nil {
		fault(ctx, p, fmt.Sprintf("case %d: order %s cannot be read", c.ID, orderID), err)
		return
	}
	if !atRest {
		return
	}
	resolved, err := s.Store.ResolveCase(ctx, c, s.now())
	switch {
	case err != nil:
		fault(ctx, p, fmt.Sprintf("case %d cannot be resolved", c.ID), err)
	case resolved:
		p.Add(run.Counts{}, fmt.Sprintf("case %d resolved: order %s is %s", c.ID, orderID, state))
	}
}
