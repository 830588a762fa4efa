package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// What Stripe has, by its names; only what is judged.
type (
	charge struct {
		ID             string
		Amount         int64
		AmountRefunded int64 `json:"amount_refunded"`
		Currency       string
		Status         string
		Customer       string
		PaymentIntent  string `json:"payment_intent"`
		Invoice        string
		Metadata       map[string]string
		Created        int64
	}
	intent struct {
		ID       string
		Status   string
		Metadata map[string]string
	}
	invoice struct {
		ID            string
		Status        string
		AmountPaid    int64  `json:"amount_paid"`
		BillingReason string `json:"billing_reason"`
		Charge        string
		Subscription  string
		Lines         struct {
			Data []struct{ Period struct{ End int64 } }
		}
	}
	subscription struct {
		ID                string
		Metadata          map[string]string
		Status            string
		CancelAtPeriodEnd bool  `json:"cancel_at_period_end"`
		EndedAt           int64 `json:"ended_at"`
	}
	session struct {
		ID            string
		AmountTotal   int64  `json:"amount_total"`
		PaymentStatus string `json:"payment_status"`
		Status        string
		PaymentIntent string `json:"payment_intent"`
		Metadata      map[string]string
	}
	refund struct {
		ID, Charge, Status string
		Amount, Created    int64
	}
	// dispute is one that a customer's bank raised.
	dispute  struct{ ID, Charge, Status string }
	customer struct{ ID, Email string }
	event    struct {
		ID, Type string
		Data     struct{ Object json.RawMessage }
	}
	delivery struct {
		EventID    string `json:"event_id"`
		EventType  string `json:"event_type"`
		State      string
		LastStatus int `json:"last_status"`
	}
)

// account is the whole of it.
type account struct {
	Charges       []charge
	Intents       []intent `json:"payment_intents"`
	Invoices      []invoice
	Subscriptions []subscription
	Sessions      []session `json:"checkout_sessions"`
	Refunds       []refund
	Disputes      []dispute
	Customers     []customer
	Events        []event
	Deliveries    []delivery `json:"webhook_deliveries"`

	app           string
	intents       map[string]intent
	invoices      map[string]invoice
	subscriptions map[string]subscription
	byIntent      map[string]session
	emails        map[string]string // by customer
	lost          map[string]bool   // charges whose dispute was lost
}

func readStripe(ctx context.Context, url, app string) (*account, error) {
	a := &account{app: app}
	if err := fetch(ctx, url+"/_sim/state", a); err != nil {
		return nil, fmt.Errorf("what Stripe has: %w", err)
	}
	a.intents = index(a.Intents, func(i intent) string { return i.ID })
	a.invoices = index(a.Invoices, func(i invoice) string { return i.ID })
	a.subscriptions = index(a.Subscriptions, func(s subscription) string { return s.ID })
	a.byIntent = index(a.Sessions, func(s session) string { return s.PaymentIntent })
	a.emails, a.lost = map[string]string{}, map[string]bool{}
	for _, c := range a.Customers {
		a.emails[c.ID] = c.Email
	}
	for _, d := range a.Disputes {
		if d.Status == "lost" {
			a.lost[d.Charge] = true
		}
	}
	return a, nil
}

func index[T any](list []T, id func(T) string) map[string]T {
	found := map[string]T{}
	for _, x := range list {
		found[id(x)] = x
	}
	return found
}

// marks are all that Stripe keeps with a charge and with what made it.
func (a *account) marks(c charge) []map[string]string {
	return []map[string]string{
		c.Metadata, a.intents[c.PaymentIntent].Metadata, a.byIntent[c.PaymentIntent].Metadata,
		a.subscriptions[a.invoices[c.Invoice].Subscription].Metadata,
	}
}

// ours says whether a charge bears our mark, or inherits it.
func (a *account) ours(c charge) bool {
	for _, m := range a.marks(c) {
		if m["makegood_app"] == a.app {
			return true
		}
	}
	return false
}

// orderOf is the order that a charge was made for, by what Stripe keeps with it; ""
// for a later term of a subscription, whose order is known only here.
func (a *account) orderOf(c charge) string {
	if in, ok := a.invoices[c.Invoice]; ok && in.BillingReason != "subscription_create" {
		return ""
	}
	for _, m := range a.marks(c) {
		if m["order_id"] != "" {
			return m["order_id"]
		}
	}
	return ""
}

// kept says whether a charge took money that was not given back.
func (a *account) kept(c charge) bool {
	return c.Status == "succeeded" && c.AmountRefunded < c.Amount && !a.lost[c.ID]
}

// freeOrder says whether Stripe asked for nothing where this order was to be paid.
func (a *account) freeOrder(order string) bool {
	for _, s := range a.Sessions {
		if s.Metadata["order_id"] == order && s.Status == "complete" && s.AmountTotal == 0 {
			return true
		}
	}
	for _, i := range a.Invoices {
		if i.Status == "paid" && i.AmountPaid == 0 && a.subscriptions[i.Subscription].Metadata["order_id"] == order {
			return true
		}
	}
	return false
}

func fetch(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
