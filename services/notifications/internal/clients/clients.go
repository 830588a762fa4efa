// Package clients is how Notifications asks the other services: what is true of
// an order, how its buyer gets in, and who takes over what cannot be delivered.
package clients

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/platform/apperr"
)

// timeout bounds one call; a delivery makes two and still has time for the mail.
const timeout = 2 * time.Second

// Orders says what is true of an order.
type Orders struct {
	client ordersv1.OrdersAdminServiceClient
}

// NewOrders uses a connection to Orders.
func NewOrders(conn grpc.ClientConnInterface) *Orders {
	return &Orders{ordersv1.NewOrdersAdminServiceClient(conn)}
}

// Describe reads the order as it is now.
func (o *Orders) Describe(ctx context.Context, id uuid.UUID) (message.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d, err := o.client.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: id.String()})
	if err != nil {
		return message.Order{}, codeOnly("orders", err)
	}
	out := message.Order{
		State: d.GetOrder().GetState().String(), Email: d.GetEmail(), Name: d.GetName(), PlanName: d.GetPlanName(),
		AmountDisplay: d.GetOrder().GetAmountDisplay(), ReferenceShort: d.GetOrder().GetReferenceShort(),
		RefundedDisplay: d.GetRefundedDisplay(),
	}
	if t := d.GetOrder().GetAccessUntil(); t != nil {
		out.AccessUntil = t.AsTime()
	}
	return out, nil
}

// Provisioning says how a buyer gets in.
type Provisioning struct {
	client provisioningv1.ProvisioningServiceClient
}

// NewProvisioning uses a connection to Provisioning.
func NewProvisioning(conn grpc.ClientConnInterface) *Provisioning {
	return &Provisioning{provisioningv1.NewProvisioningServiceClient(conn)}
}

// SignInLink makes the link for an order's mail.
func (p *Provisioning) SignInLink(ctx context.Context, orderID uuid.UUID) (message.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	l, err := p.client.CreateSignInLink(ctx, &provisioningv1.CreateSignInLinkRequest{OrderId: orderID.String()})
	if err != nil {
		return message.Link{}, codeOnly("provisioning", err)
	}
	out := message.Link{URL: l.GetUrl(), Activation: l.GetKind() == provisioningv1.CreateSignInLinkResponse_ACTIVATION}
	if t := l.GetExpiresAt(); t != nil {
		out.ExpiresAt = t.AsTime()
	}
	return out, nil
}

// Cases keeps for a person what a machine has given up on.
type Cases struct {
	client reconciliationv1.ReconciliationServiceClient
}

// NewCases uses a connection to Reconciliation.
func NewCases(conn grpc.ClientConnInterface) *Cases {
	return &Cases{reconciliationv1.NewReconciliationServiceClient(conn)}
}

// OpenUndelivered opens a case about a message, or counts one more report of it.
func (c *Cases) OpenUndelivered(ctx context.Context, subject, summary string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := c.client.OpenCase(ctx, &reconciliationv1.OpenCaseRequest{
		Kind: reconciliationv1.Case_UNDELIVERED_MESSAGE, Subject: subject, Summary: summary,
	})
	return err
}

// codeOnly names a failure by its code alone: it is kept with the message, and
// another's words may name a person.
func codeOnly(peer string, err error) error {
	reason := ""
	if e := apperr.Of(err); e != nil && e.Reason != "" {
		reason = " " + e.Reason
	}
	return fmt.Errorf("%s cannot be asked: %s%s", peer, apperr.CodeOf(err), reason)
}
