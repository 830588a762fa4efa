// Package clients is how Orders asks the other services: each call says in
// domain words what it wants and gets domain words back.
package clients

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/platform/apperr"
)

// How long each kind of call may take. Paying waits for Stripe and the bank;
// everything else is our own machines.
const (
	payTimeout   = 22 * time.Second
	shortTimeout = 5 * time.Second
	checkTimeout = 500 * time.Millisecond
)

// Payments asks what happened to the money.
type Payments struct {
	client  paymentsv1.PaymentsServiceClient
	refunds paymentsv1.PaymentsAdminServiceClient
}

// NewPayments uses a connection to Payments.
func NewPayments(conn grpc.ClientConnInterface) *Payments {
	return &Payments{paymentsv1.NewPaymentsServiceClient(conn), paymentsv1.NewPaymentsAdminServiceClient(conn)}
}

// Charge drives the order's attempt; no charge begins after chargeBy.
func (p *Payments) Charge(ctx context.Context, o order.Order, chargeBy time.Time) (order.Money, error) {
	ctx, cancel := context.WithTimeout(ctx, payTimeout)
	defer cancel()
	reply, err := p.client.Pay(ctx, &paymentsv1.PayRequest{
		Purchase: purchase(o), AttemptId: o.AttemptID.String(), PaymentMethod: o.PaymentMethod, Hosted: o.Checkout == order.Hosted, ChargeBy: timestamppb.New(chargeBy),
	})
	return MoneyFrom(reply), err
}

// Look reads what Stripe says.
func (p *Payments) Look(ctx context.Context, o order.Order) (order.Money, error) {
	ctx, cancel := context.WithTimeout(ctx, payTimeout)
	defer cancel()
	reply, err := p.client.LookAtPayment(ctx, &paymentsv1.LookAtPaymentRequest{Purchase: purchase(o)})
	return MoneyFrom(reply), err
}

// Cancel makes sure that the order can no longer be charged.
func (p *Payments) Cancel(ctx context.Context, o order.Order) (order.Money, error) {
	ctx, cancel := context.WithTimeout(ctx, payTimeout)
	defer cancel()
	reply, err := p.client.CancelPayment(ctx, &paymentsv1.CancelPaymentRequest{Purchase: purchase(o), AttemptId: o.AttemptID.String()})
	return MoneyFrom(reply), err
}

// refusals are Payments' reasons why there will be no refund, however often it is asked.
var refusals = []string{"REFUND_DISPUTED", "REFUND_TOO_LARGE", "INVALID_STATE", "IDEMPOTENCY_KEY_REUSED"}

// Refund gives an order's buyer their money back, once. made says that Stripe has taken
// it on, refused that it never will; neither, that nobody knows yet.
func (p *Payments) Refund(ctx context.Context, o order.Order) (made, refused bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, payTimeout)
	defer cancel()
	r, err := p.refunds.RefundPayment(ctx, &paymentsv1.RefundPaymentRequest{
		OrderId: o.ID.String(), RefundId: order.OfferedRefund(o.ID).String(), Reason: "the buyer took the refund that was offered",
	})
	if e := apperr.Of(err); e != nil && slices.Contains(refusals, e.Reason) {
		return false, true, err
	}
	made = r.GetStatus() == paymentsv1.Refund_PENDING || r.GetStatus() == paymentsv1.Refund_SUCCEEDED
	return made, r.GetStatus() == paymentsv1.Refund_FAILED, err
}

func purchase(o order.Order) *paymentsv1.Purchase {
	return &paymentsv1.Purchase{
		OrderId: o.ID.String(), Reference: o.Reference.String(), PlanId: o.PlanID, Description: o.PlanName,
		AmountMinor: o.AmountMinor, Currency: o.Currency, Email: o.Email, Name: o.Name, AccountId: o.AccountID,
		OrderedAt: timestamppb.New(o.CreatedAt), RenewsMonths: o.RenewsMonths(),
	}
}

// MoneyFrom reads a Payment as Orders understands it.
func MoneyFrom(p *paymentsv1.Payment) order.Money {
	m := order.Money{
		Status: order.PaymentStatus(p.GetStatus().String()), PaymentIntentID: p.GetPaymentIntentId(),
		ChargeID: p.GetChargeId(), CustomerID: p.GetCustomerId(), AmountMinor: p.GetAmountMinor(), AskedMinor: p.GetAskedMinor(), Currency: p.GetCurrency(),
		Decline:      order.PaymentError{Code: p.GetDecline().GetCode(), Message: p.GetDecline().GetMessage()},
		ClientSecret: p.GetClientSecret(), RedirectURL: p.GetRedirectUrl(), RefundedMinor: p.GetRefundedMinor(),
	}
	if p.GetDispute() != paymentsv1.Payment_DISPUTE_UNSPECIFIED {
		m.Dispute = order.Dispute(p.GetDispute().String())
	}
	if p.GetChargedAt() != nil {
		m.ChargedAt = p.GetChargedAt().AsTime()
	}
	if t := p.GetTerm(); t.GetSubscriptionId() != "" && t.GetPeriodEnd().AsTime().After(t.GetPeriodStart().AsTime()) {
		m.Term = &order.Term{SubscriptionID: t.GetSubscriptionId(), Start: t.GetPeriodStart().AsTime(), End: t.GetPeriodEnd().AsTime()}
	}
	if id, err := uuid.Parse(p.GetAttemptId()); err == nil {
		m.AttemptID = id
	}
	if _, known := paymentsv1.Payment_Status_name[int32(p.GetStatus())]; !known || p.GetStatus() == paymentsv1.Payment_STATUS_UNSPECIFIED {
		m.Status = order.Unknown // not said, or in a word that this binary does not know yet
	}
	return m
}

// Provisioning gives access.
type Provisioning struct {
	client provisioningv1.ProvisioningServiceClient
}

// NewProvisioning uses a connection to Provisioning.
func NewProvisioning(conn grpc.ClientConnInterface) *Provisioning {
	return &Provisioning{provisioningv1.NewProvisioningServiceClient(conn)}
}

// Grant is the access that an order has.
type Grant struct {
	EndsAt  time.Time
	Revoked bool
	// GrantedNow: it was given by the call that is answered.
	GrantedNow bool
}

// GrantAccess gives the order's term, once.
func (p *Provisioning) GrantAccess(ctx context.Context, o order.Order) (Grant, error) {
	r := grantRequest(o)
	r.PeriodStart, r.PeriodEnd = timestamp(o.PeriodStart), timestamp(o.PeriodEnd)
	return p.grant(ctx, r)
}

// GrantAgain answers with the access that a completed order has; what was lost of
// it is given again, for the period it had. accountOrder is the order that made the
// buyer's account, if known.
func (p *Provisioning) GrantAgain(ctx context.Context, o order.Order, accountOrder *uuid.UUID) (Grant, error) {
	start, end := o.GrantedPeriod()
	r := grantRequest(o)
	r.Again, r.PeriodStart, r.PeriodEnd = true, timestamppb.New(start), timestamppb.New(end)
	if accountOrder != nil {
		r.AccountOrderId = accountOrder.String()
	}
	return p.grant(ctx, r)
}

func grantRequest(o order.Order) *provisioningv1.GrantAccessRequest {
	return &provisioningv1.GrantAccessRequest{
		OrderId: o.ID.String(), AccountId: o.AccountID, Email: o.Email, Name: o.Name, PlanId: o.PlanID,
		TermMonths: o.TermMonths, SubscriptionId: o.SubscriptionID,
	}
}

func (p *Provisioning) grant(ctx context.Context, r *provisioningv1.GrantAccessRequest) (Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	g, err := p.client.GrantAccess(ctx, r)
	if err != nil {
		return Grant{}, err
	}
	return Grant{EndsAt: g.GetEndsAt().AsTime(), Revoked: g.GetRevokedAt() != nil, GrantedNow: g.GetGrantedNow()}, nil
}

// WithdrawAccess takes back exactly the order's access, also before it is given.
func (p *Provisioning) WithdrawAccess(ctx context.Context, o order.Order) error {
	ctx, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	_, err := p.client.RevokeAccess(ctx, &provisioningv1.RevokeAccessRequest{OrderId: o.ID.String()})
	return err
}

// RestoreAccess gives the order's withdrawn access again; granted is false when
// it never had any, and may now be granted.
func (p *Provisioning) RestoreAccess(ctx context.Context, o order.Order) (g Grant, granted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	reply, err := p.client.RestoreAccess(ctx, &provisioningv1.RestoreAccessRequest{OrderId: o.ID.String()})
	if e := apperr.Of(err); e != nil && e.Reason == "GRANT_NOT_FOUND" {
		return Grant{}, false, nil
	}
	if err != nil {
		return Grant{}, false, err
	}
	return Grant{EndsAt: reply.GetEndsAt().AsTime()}, true, nil
}

// CheckAccount says whether GrantAccess will later know the account.
func (p *Provisioning) CheckAccount(ctx context.Context, accountID string) error {
	ctx, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	_, err := p.client.CheckBuyer(ctx, &provisioningv1.CheckBuyerRequest{AccountId: accountID})
	return err
}

// statuses are Orders' words for how a subscription stands in Provisioning's. One
// that Stripe has given up charging gives no access, although it can be paid.
var statuses = map[order.SubscriptionStatus]provisioningv1.FollowSubscriptionRequest_Status{
	order.Active:  provisioningv1.FollowSubscriptionRequest_ACTIVE,
	order.PastDue: provisioningv1.FollowSubscriptionRequest_PAST_DUE,
	order.Paused:  provisioningv1.FollowSubscriptionRequest_PAUSED,
	order.Unpaid:  provisioningv1.FollowSubscriptionRequest_ENDED,
	order.Ended:   provisioningv1.FollowSubscriptionRequest_ENDED,
}

// FollowSubscription has the access follow the subscription, and answers until
// when there is any; nil when there is none. Errors: order.ErrNotStarted.
func (p *Provisioning) FollowSubscription(ctx context.Context, sub order.Subscription) (*time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	req := &provisioningv1.FollowSubscriptionRequest{
		SubscriptionId: sub.ID, OrderId: sub.OrderID.String(), Status: statuses[sub.Status], Renews: sub.Renews,
		ObservedAt: timestamppb.New(sub.ObservedAt), Again: sub.Again,
	}
	for _, id := range sub.PaidSince {
		req.PaidSinceOrderIds = append(req.PaidSinceOrderIds, id.String())
	}
	reply, err := p.client.FollowSubscription(ctx, req)
	if e := apperr.Of(err); e != nil && e.Reason == "GRANT_NOT_FOUND" {
		return nil, order.ErrNotStarted.Because(err)
	}
	if err != nil || reply.GetAccessUntil() == nil {
		return nil, err
	}
	until := reply.GetAccessUntil().AsTime()
	return &until, nil
}

// SubscriptionFrom reads a Subscription as Orders understands it. The request has
// been validated.
func SubscriptionFrom(s *paymentsv1.Subscription) order.Subscription {
	out := order.Subscription{
		ID: s.GetSubscriptionId(), OrderID: uuid.MustParse(s.GetOrderId()), Status: order.SubscriptionStatus(s.GetStatus().String()),
		Renews: s.GetRenews(), CurrentPeriodEnd: timeOf(s.GetCurrentPeriodEnd()),
		// As exact as the database keeps it, so that the same one is the same again.
		ObservedAt: s.GetObservedAt().AsTime().Truncate(time.Microsecond),
	}
	for _, id := range s.GetPaidSinceOrderIds() {
		out.PaidSince = append(out.PaidSince, uuid.MustParse(id))
	}
	if u := s.GetUnpaid(); u.GetInvoiceId() != "" {
		out.Unpaid = order.UnpaidInvoice{
			ID: u.GetInvoiceId(), AmountMinor: u.GetAmountMinor(), Currency: u.GetCurrency(), URL: u.GetHostedUrl(),
			ActionRequired: u.GetActionRequired(), NextAttemptAt: timeOf(u.GetNextAttemptAt()),
		}
	}
	return out
}

// SubscriptionTo is SubscriptionFrom, back.
func SubscriptionTo(s order.Subscription) *paymentsv1.Subscription {
	out := &paymentsv1.Subscription{
		SubscriptionId: s.ID, OrderId: s.OrderID.String(), Status: paymentsv1.Subscription_Status(paymentsv1.Subscription_Status_value[string(s.Status)]),
		Renews: s.Renews, CurrentPeriodEnd: timestamp(s.CurrentPeriodEnd), ObservedAt: timestamppb.New(s.ObservedAt),
	}
	if u := s.Unpaid; u.ID != "" {
		out.Unpaid = &paymentsv1.UnpaidInvoice{
			InvoiceId: u.ID, AmountMinor: u.AmountMinor, Currency: u.Currency, HostedUrl: u.URL,
			ActionRequired: u.ActionRequired, NextAttemptAt: timestamp(u.NextAttemptAt),
		}
	}
	return out
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func timeOf(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}

// Notifications writes to people.
type Notifications struct {
	client notificationsv1.NotificationsServiceClient
}

// NewNotifications uses a connection to Notifications.
func NewNotifications(conn grpc.ClientConnInterface) *Notifications {
	return &Notifications{notificationsv1.NewNotificationsServiceClient(conn)}
}

// CheckAddress says whether mail can be addressed there.
func (n *Notifications) CheckAddress(ctx context.Context, email string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := n.client.CheckRecipient(ctx, &notificationsv1.CheckRecipientRequest{Email: email})
	return err
}

// Message is something to tell the buyer of an order.
type Message struct {
	DedupeKey string
	Kind      string // a notificationsv1.Message_Kind by name
	OrderID   uuid.UUID
}

// Send has a message accepted durably.
func (n *Notifications) Send(ctx context.Context, m Message) error {
	kind, ok := notificationsv1.Message_Kind_value[m.Kind]
	if !ok {
		return fmt.Errorf("no such message kind: %s", m.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	_, err := n.client.SendMessage(ctx, &notificationsv1.SendMessageRequest{
		DedupeKey: m.DedupeKey, Kind: notificationsv1.Message_Kind(kind), OrderId: m.OrderID.String(),
	})
	return err
}

// Cases keeps for a person what a machine has given up on.
type Cases struct {
	client reconciliationv1.ReconciliationServiceClient
}

// NewCases uses a connection to Reconciliation.
func NewCases(conn grpc.ClientConnInterface) *Cases {
	return &Cases{reconciliationv1.NewReconciliationServiceClient(conn)}
}

// CaseKind is what a case is about.
type CaseKind = reconciliationv1.Case_Kind

// The cases that Orders opens.
const (
	StuckOrder         = reconciliationv1.Case_STUCK_ORDER
	WrongCharge        = reconciliationv1.Case_WRONG_CHARGE
	DuplicateCharge    = reconciliationv1.Case_DUPLICATE_CHARGE
	UnidentifiedCharge = reconciliationv1.Case_UNIDENTIFIED_CHARGE
	FailedRefund       = reconciliationv1.Case_FAILED_REFUND
	UndeliveredMessage = reconciliationv1.Case_UNDELIVERED_MESSAGE
	Subscription       = reconciliationv1.Case_SUBSCRIPTION
)

// Open opens a case about an order, or counts one more report of it.
func (c *Cases) Open(ctx context.Context, kind CaseKind, orderID uuid.UUID, summary string) error {
	return c.OpenAbout(ctx, kind, "order/"+orderID.String(), summary)
}

// OpenAbout is Open for something that has no order.
func (c *Cases) OpenAbout(ctx context.Context, kind CaseKind, subject, summary string) error {
	ctx, cancel := context.WithTimeout(ctx, shortTimeout)
	defer cancel()
	_, err := c.client.OpenCase(ctx, &reconciliationv1.OpenCaseRequest{Kind: kind, Subject: subject, Summary: summary})
	return err
}
