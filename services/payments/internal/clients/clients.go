// Package clients is how Payments tells the other services what it recorded.
package clients

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/wire"
	"makegood.example/services/platform/apperr"
)

const (
	// An advance may grant access and try once more before it answers.
	advanceTimeout = 15 * time.Second
	caseTimeout    = 5 * time.Second
	accountTimeout = 5 * time.Second
)

// Reason is why Orders is told.
type Reason = ordersv1.AdvanceOrderRequest_Reason

// The reasons that Payments has.
const (
	Rescue  = ordersv1.AdvanceOrderRequest_RESCUE
	Webhook = ordersv1.AdvanceOrderRequest_WEBHOOK
)

type caughtUp struct{}

// CaughtUp marks the handling of an event that Stripe never delivered here and
// that Reconciliation found in its list: what comes of it is Reconciliation's
// doing, and the order says so.
func CaughtUp(ctx context.Context) context.Context { return context.WithValue(ctx, caughtUp{}, true) }

// because is the reason that Orders is given.
func because(ctx context.Context, reason Reason) Reason {
	if reason == Webhook && ctx.Value(caughtUp{}) != nil {
		return ordersv1.AdvanceOrderRequest_RECONCILIATION
	}
	return reason
}

// Orders is told what happened to the money.
type Orders struct {
	client ordersv1.OrdersAdminServiceClient
}

// NewOrders uses a connection to Orders.
func NewOrders(conn grpc.ClientConnInterface) *Orders {
	return &Orders{ordersv1.NewOrdersAdminServiceClient(conn)}
}

// Told is what became of an order that was told of its money.
type Told struct {
	State string
	// Held: it is other money than was asked for, and a person has the case.
	Held bool
}

// Took says whether the order has its money on record.
func (t Told) Took() bool { return t.State != "PENDING" || t.Held }

func told(reply *ordersv1.AdvanceOrderResponse, err error) (Told, error) {
	return Told{State: reply.GetOrder().GetState().String(), Held: reply.GetHeld()}, err
}

// Advance hands the news to the order.
func (o *Orders) Advance(ctx context.Context, k wire.Known, reason Reason) (Told, error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	return told(o.client.AdvanceOrder(ctx, &ordersv1.AdvanceOrderRequest{
		OrderId: k.Payment.OrderID.String(), Reason: because(ctx, reason), Payment: wire.Payment(k),
	}))
}

// Adopt hands over money whose order Orders does not have.
func (o *Orders) Adopt(ctx context.Context, k wire.Known, email, name string) (Told, error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	return told(o.client.AdoptCharge(ctx, &ordersv1.AdoptChargeRequest{
		Reference: k.Payment.Reference.String(), PlanId: k.Payment.PlanID, Email: email, Name: name,
		AccountId: k.Payment.AccountID, Payment: wire.Payment(k), Reason: because(ctx, Webhook),
	}))
}

// AdoptRenewal hands over a paid later term of a subscription: the order that it
// becomes renews the one that began it.
func (o *Orders) AdoptRenewal(ctx context.Context, k wire.Known) (Told, error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	return told(o.client.AdoptCharge(ctx, &ordersv1.AdoptChargeRequest{
		Reference: k.Payment.Reference.String(), RenewsOrderId: k.Payment.RenewsOrderID.String(), Payment: wire.Payment(k), Reason: because(ctx, Webhook),
	}))
}

// Follow hands over how a subscription stands.
func (o *Orders) Follow(ctx context.Context, sub payment.Subscription) error {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	_, err := o.client.FollowSubscription(ctx, &ordersv1.FollowSubscriptionRequest{Subscription: wire.Subscription(sub)})
	return err
}

// IsOrderNotFound says whether Orders does not have the order.
func IsOrderNotFound(err error) bool { return hasReason(err, "ORDER_NOT_FOUND") }

// IsCannotAdopt says whether a charge cannot be adopted without a guess.
func IsCannotAdopt(err error) bool { return hasReason(err, "CANNOT_ADOPT") }

func hasReason(err error, reason string) bool {
	e := apperr.Of(err)
	return e != nil && e.Reason == reason
}

// Accounts knows which account has an address, and whether it was proven.
type Accounts struct {
	client provisioningv1.ProvisioningServiceClient
}

// NewAccounts uses a connection to Provisioning.
func NewAccounts(conn grpc.ClientConnInterface) *Accounts {
	return &Accounts{provisioningv1.NewProvisioningServiceClient(conn)}
}

// Find answers with the account that has an address and has proven it; empty
// when there is none.
func (a *Accounts) Find(ctx context.Context, email string) (accountID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	reply, err := a.client.FindAccount(ctx, &provisioningv1.FindAccountRequest{Email: email})
	if hasReason(err, "ACCOUNT_NOT_FOUND") || err == nil && !reply.GetVerified() {
		return "", nil
	}
	return reply.GetAccountId(), err
}

// Address answers with the address that an account has; empty when there is no
// such account.
func (a *Accounts) Address(ctx context.Context, accountID uuid.UUID) (email string, err error) {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	reply, err := a.client.FindAccount(ctx, &provisioningv1.FindAccountRequest{AccountId: accountID.String()})
	if hasReason(err, "ACCOUNT_NOT_FOUND") {
		return "", nil
	}
	return reply.GetEmail(), err
}

// Cases keeps for a person what a machine has given up on.
type Cases struct {
	client reconciliationv1.ReconciliationServiceClient
}

// NewCases uses a connection to Reconciliation.
func NewCases(conn grpc.ClientConnInterface) *Cases {
	return &Cases{reconciliationv1.NewReconciliationServiceClient(conn)}
}

// OpenUnidentified opens a case about a charge that does not say whose it is.
func (c *Cases) OpenUnidentified(ctx context.Context, chargeID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_UNIDENTIFIED_CHARGE, "charge/"+chargeID, summary)
}

// OpenDuplicate opens a case about an order that was paid twice.
func (c *Cases) OpenDuplicate(ctx context.Context, orderID uuid.UUID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_DUPLICATE_CHARGE, "order/"+orderID.String(), summary)
}

// OpenFailedEvent opens a case about a webhook event.
func (c *Cases) OpenFailedEvent(ctx context.Context, eventID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_FAILED_EVENT, "event/"+eventID, summary)
}

// OpenUnclear opens a case about an event that names different people, or is of
// ours and fits nobody.
func (c *Cases) OpenUnclear(ctx context.Context, eventID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_UNCLEAR_EVENT, "event/"+eventID, summary)
}

// OpenUnknownPayment opens a case about a payment without a definite word.
func (c *Cases) OpenUnknownPayment(ctx context.Context, orderID uuid.UUID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_UNKNOWN_PAYMENT, "order/"+orderID.String(), summary)
}

// OpenFailedRefund opens a case about money that did not go back.
func (c *Cases) OpenFailedRefund(ctx context.Context, orderID uuid.UUID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_FAILED_REFUND, "order/"+orderID.String(), summary)
}

// OpenDispute opens a case about a dispute to answer.
func (c *Cases) OpenDispute(ctx context.Context, orderID uuid.UUID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_DISPUTE, "order/"+orderID.String(), summary)
}

// OpenFraudWarning opens a case about a charge that may be fraud.
func (c *Cases) OpenFraudWarning(ctx context.Context, orderID uuid.UUID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_FRAUD_WARNING, "order/"+orderID.String(), summary)
}

// OpenSubscription opens a case about a subscription.
func (c *Cases) OpenSubscription(ctx context.Context, subscriptionID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_SUBSCRIPTION, "subscription/"+subscriptionID, summary)
}

// OpenInvoice opens a case about a subscription's invoice that buys nothing by itself.
func (c *Cases) OpenInvoice(ctx context.Context, invoiceID, summary string) error {
	return c.open(ctx, reconciliationv1.Case_SUBSCRIPTION, "invoice/"+invoiceID, summary)
}

// OpenStripeAccess opens the one case about a key that Stripe refuses.
func (c *Cases) OpenStripeAccess(ctx context.Context) error {
	return c.open(ctx, reconciliationv1.Case_STRIPE_ACCESS, "stripe/key",
		"Stripe refuses our secret key (401 or 403): no purchase can be charged or looked up until STRIPE_SECRET_KEY is right")
}

func (c *Cases) open(ctx context.Context, kind reconciliationv1.Case_Kind, subject, summary string) error {
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	_, err := c.client.OpenCase(ctx, &reconciliationv1.OpenCaseRequest{Kind: kind, Subject: subject, Summary: summary})
	return err
}
