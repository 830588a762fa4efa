package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/orders/internal/order"
)

// view is an order as its buyer may see it.
func view(o order.Order, err error) (*ordersv1.Order, error) {
	if err != nil {
		return nil, err
	}
	out := &ordersv1.Order{
		Id: o.ID.String(), Reference: o.Reference.String(), ReferenceShort: o.ReferenceShort(),
		Kind: ordersv1.Order_Kind(ordersv1.Order_Kind_value[string(o.Kind)]), State: stateOf(o.State),
		PlanId: o.PlanID, AmountMinor: o.AmountMinor, Currency: o.Currency,
		AmountDisplay: order.Display(o.AmountMinor, o.Currency), EmailMasked: order.MaskEmail(o.Email),
		CreatedAt: timestamppb.New(o.CreatedAt), ChargedAt: timestamp(o.ChargedAt), CompletedAt: timestamp(o.CompletedAt),
		AccessUntil: timestamp(o.AccessEndsAt()), RecoveredBy: o.RecoveredBy, NextAction: nextAction(o),
		RefundAskedAt: timestamp(o.RefundAskedAt), RefundFailed: o.RefundFailedAt != nil,
		RefundOfferUntil: timestamp(o.RefundOffer()),
	}
	if o.Awaits() && o.PromiseBy != nil {
		out.Promise = &ordersv1.Promise{
			By: timestamp(o.PromiseBy), MissedBy: timestamp(o.MissedBy), MissedCount: o.MissedCount, RefundOffered: o.RefundOfferedAt != nil,
		}
	}
	if o.ChargeID == "" {
		out.ChargedAt = nil // settled, and nothing was charged
	}
	if o.PaymentError.Code != "" {
		out.PaymentError = &ordersv1.PaymentError{Code: o.PaymentError.Code, Message: o.PaymentError.Message}
	}
	return out, nil
}

func nextAction(o order.Order) *ordersv1.NextAction {
	switch {
	case o.RefundRuns():
		return &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT, By: timestamp(o.NextLookAt)}
	case o.State == order.Failed && o.Checkout != order.Hosted:
		return &ordersv1.NextAction{Type: ordersv1.NextAction_PAY_AGAIN}
	case o.State.AtRest():
		return &ordersv1.NextAction{Type: ordersv1.NextAction_NONE}
	case o.Held():
		return &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT} // for a person, who has no clock
	case o.WaitsForBuyer() && o.RedirectURL != "":
		return &ordersv1.NextAction{Type: ordersv1.NextAction_REDIRECT, Url: o.RedirectURL}
	case o.WaitsForBuyer():
		return &ordersv1.NextAction{Type: ordersv1.NextAction_USE_STRIPE_SDK, ClientSecret: o.ClientSecret}
	default:
		return &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT, By: timestamp(o.NextLookAt)}
	}
}

func stateOf(s order.State) ordersv1.Order_State {
	return ordersv1.Order_State(ordersv1.Order_State_value[string(s)])
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}
