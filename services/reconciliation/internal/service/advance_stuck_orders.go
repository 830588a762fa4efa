package service

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/reconciliation/internal/run"
)

const (
	listTimeout    = 10 * time.Second
	advanceTimeout = 30 * time.Second
)

// advanceStuckOrders has Orders advance every order that made no progress for
// a while. One that cannot be advanced never stops the others; only a page that
// cannot be listed ends the sweep, with an error.
func (s *Service) advanceStuckOrders(ctx context.Context, p *run.Progress) error {
	since := timestamppb.New(s.now().Add(-s.Settings.StuckAfter))
	for token := ""; ; {
		page, err := s.listStuckOrders(ctx, since, token)
		if err != nil {
			fault(ctx, p, "stuck orders cannot be listed", err)
			return fmt.Errorf("list stuck orders: %w", err)
		}
		each(page.GetOrders(), func(o *ordersv1.StuckOrder) {
			if ctx.Err() == nil {
				s.advanceStuckOrder(ctx, p, o)
			}
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if token = page.GetNextPageToken(); token == "" {
			return nil
		}
	}
}

func (s *Service) listStuckOrders(ctx context.Context, since *timestamppb.Timestamp, token string) (*ordersv1.ListStuckOrdersResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return s.Orders.ListStuckOrders(ctx, &ordersv1.ListStuckOrdersRequest{
		NoProgressSince: since, PageSize: pageSize, PageToken: token,
	})
}

func (s *Service) advanceStuckOrder(ctx context.Context, p *run.Progress, o *ordersv1.StuckOrder) {
	call, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	what := fmt.Sprintf("order %s was stuck %s since %s", o.GetOrderId(), o.GetState(),
		o.GetLastProgressAt().AsTime().Format(time.RFC3339))
	p.Add(run.Counts{StuckFound: 1}, "")
	answer, err := s.Orders.AdvanceOrder(call, &ordersv1.AdvanceOrderRequest{
		OrderId: o.GetOrderId(), Reason: ordersv1.AdvanceOrderRequest_RECONCILIATION,
	})
	if err != nil {
		fault(ctx, p, what+"; it cannot be advanced", err)
		return
	}
	switch state := answer.GetOrder().GetState(); state {
	case ordersv1.Order_COMPLETE, ordersv1.Order_RECOVERED:
		p.Add(run.Counts{StuckRecovered: 1}, fmt.Sprintf("%s; it is %s now", what, state))
	case o.GetState():
		p.Add(run.Counts{}, what+"; it still is")
	default:
		p.Add(run.Counts{}, fmt.Sprintf("%s; it is %s now", what, state))
	}
}

// each does do for every item, a bounded number at once, and waits for all.
func each[T any](items []T, do func(T)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(item)
		})
	}
	wg.Wait()
}
