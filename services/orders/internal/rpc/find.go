package rpc

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/orders/internal/service"
	"makegood.example/services/platform/access"
)

// FindOrders finds the orders that a customer's words may be about.
func (r *Admin) FindOrders(ctx context.Context, req *ordersv1.FindOrdersRequest) (*ordersv1.FindOrdersResponse, error) {
	orderID, _ := uuid.Parse(req.GetOrderId()) // checked by the contract
	found, cut, err := r.Service.FindOrders(ctx, service.By{
		Email: req.GetEmail(), Reference: req.GetReferencePrefix(), AccountID: req.GetAccountId(), OrderID: orderID,
		StripeName: cmp.Or(req.GetPaymentIntentId(), req.GetChargeId(), req.GetCustomerId()),
	})
	if err != nil {
		return nil, err
	}
	out := &ordersv1.FindOrdersResponse{Cut: cut}
	for _, f := range found {
		out.Orders = append(out.Orders, &ordersv1.FoundOrder{Order: described(f.Description, access.From(ctx).Caller), Alias: f.Alias})
	}
	return out, nil
}
