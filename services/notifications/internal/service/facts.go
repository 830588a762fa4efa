package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/platform/apperr"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
)

// describe asks Orders for the order as it is now.
func (d *Deliverer) describe(ctx context.Context, id uuid.UUID) (*ordersv1.DescribeOrderResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	order, err := d.Orders.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: id.String()})
	if err != nil {
		return nil, peerError("orders", err)
	}
	return order, nil
}

// facts gathers what the mail is about.
func (d *Deliverer) facts(ctx context.Context, m message.Message, order *ordersv1.DescribeOrderResponse) (render.Facts, error) {
	f := render.Facts{
		Kind: string(m.Kind), Name: order.GetName(), PlanName: order.GetPlanName(),
		AmountDisplay: order.GetOrder().GetAmountDisplay(), ReferenceShort: order.GetOrder().GetReferenceShort(),
	}
	if f.PlanName == "" {
		f.PlanName = order.GetOrder().GetPlanId()
	}
	// A mail without its facts would only raise questions.
	if f.PlanName == "" || f.AmountDisplay == "" || f.ReferenceShort == "" {
		return f, errors.New("orders does not say plan, amount and reference")
	}
	if !m.Kind.HasLink() {
		return f, nil
	}
	if order.GetOrder().GetAccessUntil() == nil {
		return f, errors.New("orders does not say until when there is access")
	}
	f.AccessUntil = order.GetOrder().GetAccessUntil().AsTime()

	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	link, err := d.Provisioning.CreateSignInLink(ctx, &provisioningv1.CreateSignInLinkRequest{OrderId: m.OrderID.String()})
	if err != nil {
		return f, peerError("provisioning", err)
	}
	if f.SignInURL = link.GetUrl(); f.SignInURL == "" {
		return f, errors.New("provisioning gives no link")
	}
	f.Activation = link.GetKind() == provisioningv1.CreateSignInLinkResponse_ACTIVATION
	if link.GetExpiresAt() != nil {
		f.LinkExpires = link.GetExpiresAt().AsTime()
	}
	return f, nil
}

// peerError names the failure by its code alone: it is kept with the message,
// and another's words may name a person.
func peerError(peer string, err error) error {
	reason := ""
	if e := apperr.Of(err); e != nil && e.Reason != "" {
		reason = " " + e.Reason
	}
	return fmt.Errorf("%s cannot be asked: %s%s", peer, apperr.CodeOf(err), reason)
}
