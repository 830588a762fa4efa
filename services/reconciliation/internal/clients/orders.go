// Package clients is how Reconciliation asks the other services.
package clients

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/reconciliation/internal/run"
)

const (
	readTimeout = 10 * time.Second
	// An advance may wait for Stripe.
	advanceTimeout = 30 * time.Second
)

// Orders lists what is stuck and advances it.
type Orders struct {
	client ordersv1.OrdersAdminServiceClient
}

// NewOrders uses a connection to Orders.
func NewOrders(conn grpc.ClientConnInterface) *Orders {
	return &Orders{ordersv1.NewOrdersAdminServiceClient(conn)}
}

// ListStuck reads one page of the orders without progress since a time, and the
// token of the next page, empty on the last.
func (o *Orders) ListStuck(ctx context.Context, since time.Time, pageSize int, token string) ([]run.StuckOrder, string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page, err := o.client.ListStuckOrders(ctx, &ordersv1.ListStuckOrdersRequest{
		NoProgressSince: timestamppb.New(since), PageSize: int32(pageSize), PageToken: token,
	})
	var out []run.StuckOrder
	for _, s := range page.GetOrders() {
		out = append(out, run.StuckOrder{ID: s.GetOrderId(), State: s.GetState().String(), Since: s.GetLastProgressAt().AsTime(), Waits: s.GetWaits()})
	}
	return out, page.GetNextPageToken(), err
}

// Advance has an order take every step that it can take now, and answers with
// the state it then has.
func (o *Orders) Advance(ctx context.Context, orderID string) (state string, err error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	answer, err := o.client.AdvanceOrder(ctx, &ordersv1.AdvanceOrderRequest{
		OrderId: orderID, Reason: ordersv1.AdvanceOrderRequest_RECONCILIATION,
	})
	return answer.GetOrder().GetState().String(), err
}

// AtRest says which state an order has, and whether nothing more will happen to
// it by itself. A refund rests only when the access was withdrawn too; until
// then it carries a look.
func (o *Orders) AtRest(ctx context.Context, orderID uuid.UUID) (state string, atRest bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := o.client.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: orderID.String()})
	if err != nil {
		return "", false, err
	}
	return answer.GetOrder().GetState().String(), answer.GetNextLookAt() == nil, nil
}
