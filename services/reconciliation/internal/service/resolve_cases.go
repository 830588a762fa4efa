package service

import (
	"context"
	"fmt"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/run"
)

const describeTimeout = 10 * time.Second

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
	call, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	answer, err := s.Orders.DescribeOrder(call, &ordersv1.DescribeOrderRequest{OrderId: orderID.String()})
	if err != nil {
		fault(ctx, p, fmt.Sprintf("case %d: order %s cannot be read", c.ID, orderID), err)
		return
	}
	if !atRest(answer) {
		return
	}
	resolved, err := s.Store.ResolveCase(ctx, c, s.now())
	switch {
	case err != nil:
		fault(ctx, p, fmt.Sprintf("case %d cannot be resolved", c.ID), err)
	case resolved:
		p.Add(run.Counts{}, fmt.Sprintf("case %d resolved: order %s is %s", c.ID, orderID, answer.GetOrder().GetState()))
	}
}

// atRest says whether nothing more will happen to an order by itself. A refund
// rests only when the access was withdrawn too; until then it carries a look.
func atRest(o *ordersv1.DescribeOrderResponse) bool {
	switch o.GetOrder().GetState() {
	case ordersv1.Order_COMPLETE, ordersv1.Order_RECOVERED, ordersv1.Order_FAILED, ordersv1.Order_EXPIRED:
		return true
	case ordersv1.Order_REFUNDED:
		return o.GetNextLookAt() == nil
	default:
		return false
	}
}
