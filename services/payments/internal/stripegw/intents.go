package stripegw

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/webhook"
)

// CreateIntent creates the intent, unconfirmed: no money can move yet. Errors:
// ErrUnknown, ErrRefused, ErrKeyReused.
func (g *Gateway) CreateIntent(ctx context.Context, p payment.Payment) (payment.Intent, error) {
	params := &stripe.PaymentIntentParams{
		Params:      request(ctx, p.CreateKey()),
		Amount:      stripe.Int64(p.AmountMinor),
		Currency:    stripe.String(strings.ToLower(p.Currency)),
		Customer:    stripe.String(p.CustomerID),
		Description: stripe.String(p.Description),
		AutomaticPaymentMethods: &stripe.PaymentIntentAutomaticPaymentMethodsParams{
			Enabled: stripe.Bool(true), AllowRedirects: stripe.String("never"),
		},
	}
	params.AddMetadata("makegood_app", g.cfg.AppID)
	params.AddMetadata("order_id", p.OrderID.String())
	params.AddMetadata("reference", p.Reference.String())
	params.AddMetadata("plan_id", p.PlanID)
	if p.AccountID != "" {
		params.AddMetadata("account_id", p.AccountID)
	}
	pi, err := g.api.PaymentIntents.New(params)
	if err != nil {
		return payment.Intent{}, classify(err)
	}
	if replayed(pi.LastResponse) {
		// The stored answer shows the intent as it was then.
		return g.GetIntent(ctx, pi.ID)
	}
	return intentFrom(pi), nil
}

// ConfirmIntent charges: the only call that moves money. A refusal comes back
// as an intent with its Error set. Errors: ErrUnknown, ErrRefused, ErrKeyReused.
func (g *Gateway) ConfirmIntent(ctx context.Context, a payment.Attempt, intentID string) (payment.Intent, error) {
	params := &stripe.PaymentIntentConfirmParams{
		Params:        request(ctx, a.ID.String()),
		PaymentMethod: stripe.String(a.PaymentMethod),
	}
	params.AddExpand("latest_charge")
	pi, err := g.api.PaymentIntents.Confirm(intentID, params)
	var se *stripe.Error
	switch {
	case err == nil && replayed(pi.LastResponse):
		return g.GetIntent(ctx, intentID)
	case err == nil:
		return intentFrom(pi), nil
	case errors.As(err, &se) && se.Type == stripe.ErrorTypeCard && !replayed(se.LastResponse):
		in := payment.Intent{ID: intentID, Status: "requires_payment_method"}
		if se.PaymentIntent != nil {
			in = intentFrom(se.PaymentIntent)
		}
		in.Error = declineFrom(se)
		return in, nil
	default:
		return payment.Intent{}, classify(err)
	}
}

// GetIntent reads an intent with its latest charge. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) GetIntent(ctx context.Context, id string) (payment.Intent, error) {
	params := &stripe.PaymentIntentParams{Params: request(ctx, "")}
	params.AddExpand("latest_charge")
	pi, err := g.api.PaymentIntents.Get(id, params)
	if err != nil {
		return payment.Intent{}, classify(err)
	}
	return intentFrom(pi), nil
}

// CancelIntent makes an intent unpayable. Errors: ErrRefused when it is paid,
// being paid or canceled already; ErrUnknown.
func (g *Gateway) CancelIntent(ctx context.Context, key, id string) (payment.Intent, error) {
	pi, err := g.api.PaymentIntents.Cancel(id, &stripe.PaymentIntentCancelParams{
		Params: request(ctx, key), CancellationReason: stripe.String("abandoned"),
	})
	if err != nil {
		return payment.Intent{}, classify(err)
	}
	return intentFrom(pi), nil
}

// FindIntent looks for an order's intent among those of a customer since a
// time: for when its id was lost. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) FindIntent(ctx context.Context, customerID, orderID string, since time.Time) (payment.Intent, error) {
	params := &stripe.PaymentIntentListParams{
		ListParams: stripe.ListParams{Context: ctx, Limit: stripe.Int64(100)},
		Customer:   stripe.String(customerID),
	}
	params.CreatedRange = &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}
	params.AddExpand("data.latest_charge")
	it := g.api.PaymentIntents.List(params)
	found := payment.Intent{}
	for it.Next() {
		in := intentFrom(it.PaymentIntent())
		if !g.IsOurs(in.Metadata) || in.Metadata["order_id"] != orderID {
			continue
		}
		// A canceled one counts only when there is no other.
		if found.ID == "" || found.Status == payment.StripeCanceled {
			found = in
		}
	}
	switch {
	case it.Err() != nil:
		return payment.Intent{}, classify(it.Err())
	case found.ID == "":
		return payment.Intent{}, ErrNotFound
	}
	return found, nil
}

// intentShape is what an intent must be like for the library to read it.
var intentShape = webhook.NewShape(reflect.TypeFor[stripe.PaymentIntent]())

// CheckIntent says why ParseIntent could not read the intent in an event; nil
// when it could. It is for an intent of which nobody wants to know more.
func CheckIntent(id string, object json.RawMessage) error {
	if id != "" && intentShape.Fits(object) {
		return nil
	}
	_, err := ParseIntent(object)
	return err
}

// ParseIntent reads the intent in an event. Its charge is only an id there
// unless the event carries it whole.
func ParseIntent(object json.RawMessage) (payment.Intent, error) {
	var pi stripe.PaymentIntent
	if err := json.Unmarshal(object, &pi); err != nil {
		return payment.Intent{}, fmt.Errorf("the event's payment intent cannot be read: %w", err)
	}
	if pi.ID == "" {
		return payment.Intent{}, errors.New("the event's payment intent has no id")
	}
	return intentFrom(&pi), nil
}

func intentFrom(pi *stripe.PaymentIntent) payment.Intent {
	in := payment.Intent{
		ID: pi.ID, Status: string(pi.Status), AmountMinor: pi.Amount, ReceivedMinor: pi.AmountReceived, Currency: strings.ToUpper(string(pi.Currency)),
		Livemode: pi.Livemode, Metadata: pi.Metadata, ClientSecret: pi.ClientSecret, CreatedAt: time.Unix(pi.Created, 0).UTC(),
	}
	if pi.Customer != nil {
		in.CustomerID = pi.Customer.ID
	}
	if pi.Invoice != nil {
		in.InvoiceID = pi.Invoice.ID
	}
	if pi.NextAction != nil && pi.NextAction.RedirectToURL != nil {
		in.RedirectURL = pi.NextAction.RedirectToURL.URL
	}
	if c := pi.LatestCharge; c != nil {
		in.Charge = payment.Charge{ID: c.ID, Email: c.ReceiptEmail, Changed: c.AmountRefunded > 0 || c.Disputed}
		if c.BillingDetails != nil && c.BillingDetails.Email != "" {
			in.Charge.Email = c.BillingDetails.Email
		}
		if c.Created > 0 {
			in.Charge.CreatedAt = time.Unix(c.Created, 0).UTC()
		}
	}
	if pi.LastPaymentError != nil {
		in.Error = declineFrom(pi.LastPaymentError)
		in.LastWord = takesDays(pi.LastPaymentError.PaymentMethod)
	}
	return in
}

// takesDays says whether the bank behind a method answers days after the buyer left.
func takesDays(m *stripe.PaymentMethod) bool {
	if m == nil {
		return false
	}
	switch m.Type {
	case stripe.PaymentMethodTypeACSSDebit, stripe.PaymentMethodTypeAUBECSDebit, stripe.PaymentMethodTypeBACSDebit,
		stripe.PaymentMethodTypeBoleto, stripe.PaymentMethodTypeCustomerBalance, stripe.PaymentMethodTypeKonbini,
		stripe.PaymentMethodTypeOXXO, stripe.PaymentMethodTypeSEPADebit, stripe.PaymentMethodTypeSofort, stripe.PaymentMethodTypeUSBankAccount:
		return true
	default:
		return false
	}
}

func declineFrom(e *stripe.Error) payment.Decline {
	d := payment.Decline{Code: string(e.DeclineCode), Message: e.Msg, ChargeID: e.ChargeID}
	if d.Code == "" {
		d.Code = string(e.Code)
	}
	if d.Code == "" {
		d.Code = string(e.Type)
	}
	return d
}
