package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/orders/internal/order"
)

// MatchCharges finds the orders that a page of charges belongs to.
func (r *Admin) MatchCharges(ctx context.Context, req *ordersv1.MatchChargesRequest) (*ordersv1.MatchChargesResponse, error) {
	keys := make([]order.ChargeKeys, len(req.GetCharges()))
	for i, c := range req.GetCharges() {
		id, _ := uuid.Parse(c.GetOrderId()) // what is no UUID names no order
		keys[i] = order.ChargeKeys{ChargeID: c.GetChargeId(), PaymentIntentID: c.GetPaymentIntentId(), OrderID: id}
	}
	matches, position, err := r.Service.MatchCharges(ctx, keys, !req.GetWithoutDuplicates())
	if err != nil {
		return nil, err
	}
	out := &ordersv1.MatchChargesResponse{HistoryPosition: position}
	for _, m := range matches {
		match := &ordersv1.ChargeMatch{
			ChargeId: m.ChargeID, OrderId: m.OrderID.String(), State: stateOf(m.State), PaidByChargeId: m.PaidBy,
			AmountMinor: m.AmountMinor, Currency: m.Currency, CustomerId: m.CustomerID, RefundedMinor: m.RefundedMinor,
			Dispute:   paymentsv1.Payment_Dispute(paymentsv1.Payment_Dispute_value[string(m.Dispute)]),
			ChargedAt: timestamp(m.ChargedAt), CompletedAt: timestamp(m.CompletedAt),
			AccessWithdrawnAt: timestamp(m.AccessWithdrawnAt), RecoveredBy: m.RecoveredBy, AmountOpen: m.AmountOpen,
		}
		if m.DuplicateOf != uuid.Nil {
			match.DuplicateOfOrderId = m.DuplicateOf.String()
		}
		out.Matches = append(out.Matches, match)
	}
	return out, nil
}

// ListCompleted pages through completed orders with the messages that confirm them.
func (r *Admin) ListCompleted(ctx context.Context, req *ordersv1.ListCompletedRequest) (*ordersv1.ListCompletedResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 100
	}
	afterTime, afterID, err := parsePageToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	orders, err := r.Service.ListCompleted(ctx, req.GetFrom().AsTime(), req.GetBefore().AsTime(), afterTime, afterID, size)
	if err != nil {
		return nil, err
	}
	out := &ordersv1.ListCompletedResponse{}
	for _, o := range orders {
		told := o.Confirmation()
		out.Orders = append(out.Orders, &ordersv1.CompletedOrder{
			OrderId: o.ID.String(), CompletedAt: timestamppb.New(*o.CompletedAt), DedupeKey: told.DedupeKey, MessageKind: told.Kind,
		})
	}
	if n := len(orders); n == size {
		out.NextPageToken = pageToken(*orders[n-1].CompletedAt, orders[n-1].ID)
	}
	return out, nil
}
