package clients

import (
	"context"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/apperr"
)

// AsPerson has the calls of ctx carry the credential of the person who asked, so that
// whoever is asked knows and records who it was.
func AsPerson(ctx context.Context) context.Context {
	in, _ := metadata.FromIncomingContext(ctx)
	out, _ := metadata.FromOutgoingContext(ctx)
	out = out.Copy()
	out.Set("authorization", in.Get("authorization")...)
	return metadata.NewOutgoingContext(ctx, out)
}

// Standing is an order as it stands, with everything that Orders knows; nil when
// there is none.
func (o *Orders) Standing(ctx context.Context, orderID string) (*ordersv1.DescribeOrderResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	d, err := o.client.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: orderID})
	if e := apperr.Of(err); e != nil && e.Reason == "ORDER_NOT_FOUND" {
		return nil, nil
	}
	return d, err
}

// AdvanceForPerson has an order take every step that it can take now, because the
// person whose credential ctx carries asked for it. held: its money is not what was
// asked for.
func (o *Orders) AdvanceForPerson(ctx context.Context, orderID string) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	answer, err := o.client.AdvanceOrder(ctx, &ordersv1.AdvanceOrderRequest{OrderId: orderID, Reason: ordersv1.AdvanceOrderRequest_SUPPORT})
	return answer.GetHeld(), err
}

// AdoptForPerson is Adopt because a person asked for it.
func (o *Orders) AdoptForPerson(ctx context.Context, r Restored, accessUntil *time.Time) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	adoption := proto.CloneOf(r.adoption)
	adoption.Reason = ordersv1.AdvanceOrderRequest_SUPPORT
	if accessUntil != nil {
		adoption.AccessUntil = timestamppb.New(*accessUntil)
	}
	answer, err := o.client.AdoptCharge(ctx, adoption)
	return answer.GetHeld(), err
}

// ConfirmationOf is the message that tells an order's buyer of their access; false
// when it is not completed.
func (o *Orders) ConfirmationOf(ctx context.Context, d *ordersv1.DescribeOrderResponse) (Message, bool, error) {
	at := d.GetOrder().GetCompletedAt()
	if at == nil {
		return Message{}, false, nil
	}
	w := Window{From: at.AsTime(), Before: at.AsTime().Add(time.Microsecond)}
	for {
		page, next, err := o.ListCompleted(ctx, w)
		if err != nil {
			return Message{}, false, err
		}
		for _, c := range page {
			if c.OrderID == d.GetOrder().GetId() {
				return c.Message, true, nil
			}
		}
		if w.Token = next; next == "" {
			return Message{}, false, nil
		}
	}
}

// Grants answers which of some orders have a grant, by order.
func (p *Provisioning) Grants(ctx context.Context, orderIDs ...string) (map[string]*provisioningv1.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := p.client.MatchGrants(ctx, &provisioningv1.MatchGrantsRequest{OrderIds: orderIDs})
	if err != nil {
		return nil, err
	}
	grants := make(map[string]*provisioningv1.Grant, len(answer.GetGrants()))
	for _, g := range answer.GetGrants() {
		grants[g.GetOrderId()] = g
	}
	return grants, nil
}

// ReplayHooks has the SaaS's own app told again, and says of how many changes.
func (p *Provisioning) ReplayHooks(ctx context.Context, r *provisioningv1.ReplayHooksRequest) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := p.admin.ReplayHooks(ctx, r)
	return answer.GetHookCount(), err
}

// Active says whether an account may use the product now.
func (p *Provisioning) Active(ctx context.Context, accountID string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := p.client.CheckAccess(ctx, &provisioningv1.CheckAccessRequest{AccountId: accountID})
	return answer.GetActive(), err
}

// RefundWish is what a person asks to give back.
type RefundWish struct {
	OrderID string
	// ID names the wish.
	ID string
	// AmountMinor is 0 for all that is left.
	AmountMinor int64
	// ChargeID is empty for the charge that paid the order.
	ChargeID, Reason string
	// DryRun: only answer with the refund that would be made.
	DryRun bool
}

// Refund gives money back; the same wish again is the same refund.
func (p *Payments) Refund(ctx context.Context, w RefundWish) (*paymentsv1.Refund, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return p.client.RefundPayment(ctx, &paymentsv1.RefundPaymentRequest{
		OrderId: w.OrderID, RefundId: w.ID, AmountMinor: w.AmountMinor, Reason: w.Reason, ChargeId: w.ChargeID, DryRun: w.DryRun,
	})
}

// Event reads one event of the ledger; nil when there is none.
func (p *Payments) Event(ctx context.Context, id string) (*paymentsv1.WebhookEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page, err := p.client.ListWebhookEvents(ctx, &paymentsv1.ListWebhookEventsRequest{StripeEventIds: []string{id}})
	if err != nil || len(page.GetEvents()) == 0 {
		return nil, err
	}
	return page.GetEvents()[0], nil
}

// LinkEvent says whose an event's Stripe customer is.
func (p *Payments) LinkEvent(ctx context.Context, r *paymentsv1.LinkWebhookEventRequest) (*paymentsv1.WebhookEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return p.client.LinkWebhookEvent(ctx, r)
}

// ReplayEvent handles an event again.
func (p *Payments) ReplayEvent(ctx context.Context, id string) (*paymentsv1.WebhookEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return p.client.ReplayWebhookEvent(ctx, &paymentsv1.ReplayWebhookEventRequest{StripeEventId: id})
}

// IgnoreEvent ends an event that needs nothing.
func (p *Payments) IgnoreEvent(ctx context.Context, r *paymentsv1.IgnoreWebhookEventRequest) (*paymentsv1.WebhookEvent, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return p.client.IgnoreWebhookEvent(ctx, r)
}

// Charging is how the switch of new charges stands.
func (o *Orders) Charging(ctx context.Context) (*ordersv1.GetChargingResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return o.client.GetCharging(ctx, &ordersv1.GetChargingRequest{})
}

// SetCharging turns it.
func (o *Orders) SetCharging(ctx context.Context, paused bool, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err := o.client.SetCharging(ctx, &ordersv1.SetChargingRequest{Paused: paused, Reason: reason})
	return err
}

// Plan finds a plan that can be bought; nil when there is none with that id.
func (o *Orders) Plan(ctx context.Context, id string) (*ordersv1.Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	list, err := o.shop.ListPlans(ctx, &ordersv1.ListPlansRequest{})
	for _, p := range list.GetPlans() {
		if p.GetId() == id {
			return p, nil
		}
	}
	return nil, err
}

// CheckRecipient says whether mail can be addressed there.
func (n *Notifications) CheckRecipient(ctx context.Context, email string) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err := n.client.CheckRecipient(ctx, &notificationsv1.CheckRecipientRequest{Email: email})
	return err
}

// Incident is the open incident of a key; nil when none is open.
func (n *Notifications) Incident(ctx context.Context, key string) (*notificationsv1.Incident, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page, err := n.client.ListIncidents(ctx, &notificationsv1.ListIncidentsRequest{Key: key, PageSize: 1})
	if err != nil || len(page.GetIncidents()) == 0 {
		return nil, err
	}
	return page.GetIncidents()[0], nil
}

// AcknowledgeIncident says that the person whose credential ctx carries looks after it.
func (n *Notifications) AcknowledgeIncident(ctx context.Context, r *notificationsv1.AcknowledgeIncidentRequest) (*notificationsv1.Incident, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return n.client.AcknowledgeIncident(ctx, r)
}

// SnoozeIncident keeps an incident quiet.
func (n *Notifications) SnoozeIncident(ctx context.Context, r *notificationsv1.SnoozeIncidentRequest) (*notificationsv1.Incident, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return n.client.SnoozeIncident(ctx, r)
}
