package crashlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"makegood.example/deploy/internal/stack"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// The paths, each a way in which money comes, goes or is found.
const (
	purchase    = "purchase"
	anotherCard = "another card"
	subscribing = "subscription"
	webhook     = "webhook"
	lateWebhook = "late webhook"
	refunding   = "refund"
	refundThere = "refund at Stripe"
	renewal     = "renewal"
	reconciling = "reconciliation"
	strangers   = "another product"
)

// path is how a customer gets along one, and when they have what is theirs.
type path struct {
	name string
	// travel makes the run's own requests: first what it begins with, then, when
	// everybody is ready, the path. It returns when there is nothing more to ask for.
	travel func(context.Context, *shop, *run) error
	// after is what is waited for when the customer has it; nil for nothing.
	after func(context.Context, *shop, *run) error
	// arrived is SQL for when the customer has it: $1 is the reference.
	arrived string
}

const (
	hasAccess = `SELECT g.created_at FROM provisioning.grants g JOIN orders.orders o ON o.id = g.order_id
		WHERE o.reference = $1 AND g.revoked_at IS NULL`
	hasNextTerm = `SELECT min(g.created_at) FROM provisioning.grants g JOIN orders.orders o ON o.id = g.order_id
		JOIN orders.orders f ON f.id = o.renews_order_id WHERE f.reference = $1`
	isTold = `SELECT m.sent_at FROM notifications.messages m JOIN orders.orders o ON o.id = m.order_id
		WHERE o.reference = $1 AND m.state = 'SENT'
		AND NOT EXISTS (SELECT FROM orders.river_job WHERE args->>'order_id' = o.id::text AND state <> 'completed')
		AND NOT EXISTS (SELECT FROM notifications.river_job WHERE position(m.id::text in args::text) > 0 AND state <> 'completed')`
	areOver = `SELECT max(processed_at) FROM payments.webhook_events
		WHERE position($1::text in convert_from(payload, 'UTF8')) > 0 HAVING count(*) > 0 AND count(*) = count(processed_at)`
	isWithdrawn = `SELECT g.withdrawn_at FROM provisioning.grants g JOIN orders.orders o ON o.id = g.order_id WHERE o.reference = $1`
)

var paths = map[string]path{
	purchase:    {purchase, buys, release, hasAccess},
	anotherCard: {anotherCard, takesAnotherCard, release, hasAccess},
	subscribing: {subscribing, subscribes, nil, hasAccess},
	webhook:     {webhook, leavesAfterPaying, nil, hasAccess},
	lateWebhook: {lateWebhook, hearsLate, eventsSettled, hasAccess},
	refunding:   {refunding, isRefunded, nil, isWithdrawn},
	refundThere: {refundThere, isRefundedThere, nil, isWithdrawn},
	renewal:     {renewal, renews, nil, hasNextTerm},
	reconciling: {reconciling, isOrphaned, releaseLate, hasAccess},
	strangers:   {strangers, paysAnother, nil, areOver},
}

// shop is a running product, and what stands around it.
type shop struct {
	*stack.Stack
	token string
	told  func(Answer) // of what browsers get; nil when nobody wants to hear
}

// order is what the edge tells of one.
type order struct {
	State      string
	NextAction struct {
		Type         string
		ClientSecret string `json:"client_secret"`
		URL          string
	} `json:"next_action"`
}

// place is the browser's request, made again as it was for as long as nobody has
// the order: its reference makes it the same purchase. Then the browser asks no more.
func (r *run) place(ctx context.Context, s *shop, more map[string]any) (order, error) {
	body := map[string]any{"plan_id": "annual", "email": r.email, "name": "Jane Example"}
	for k, v := range more {
		body[k] = v
	}
	// Without a card the page needs to know where to pay.
	wanted := func(o order) bool {
		return more["payment_method"] != nil || o.NextAction.URL != "" || o.NextAction.ClientSecret != ""
	}
	for {
		status, o, err := r.edge(ctx, s, http.MethodPost, "/v1/orders", body)
		if err == nil && status < 300 && wanted(o) {
			r.say("the shop answers %d, %s", status, o.State)
			return o, nil
		}
		if r.say("the shop answers %d", status); err != nil {
			r.say("the browser says: %v", err)
		}
		for {
			status, o, err := r.edge(ctx, s, http.MethodGet, "/v1/orders/"+r.reference.String(), nil)
			if err == nil && status == http.StatusNotFound {
				break // it never arrived
			}
			if err == nil && status == http.StatusOK && wanted(o) {
				return o, nil
			}
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				return o, err
			}
		}
	}
}

func (r *run) edge(ctx context.Context, s *shop, method, path string, body any) (int, order, error) {
	status, raw, err := s.call(ctx, method, s.URL()+path, map[string]string{"Idempotency-Key": r.reference.String()}, body)
	var o order
	if err == nil && status < 300 {
		err = json.Unmarshal(raw, &o)
	}
	return status, o, err
}

// buys pays with a card, and no webhook helps before there is access.
func buys(ctx context.Context, s *shop, r *run) error {
	r.hold(true)
	if err := r.begin(ctx, purchase); err != nil {
		return err
	}
	_, err := r.place(ctx, s, map[string]any{"payment_method": card})
	return err
}

// takesAnotherCard is declined, takes another card, whose bank asks, proves themselves
// and comes back; no webhook helps before there is access. What is not answered is
// asked again, as the page does.
func takesAnotherCard(ctx context.Context, s *shop, r *run) error {
	r.hold(true)
	if err := r.begin(ctx, anotherCard); err != nil {
		return err
	}
	first := map[string]any{"plan_id": "annual", "email": r.email, "name": "Jane Example", "payment_method": declined}
	second := map[string]any{"attempt_id": uuid.NewString(), "payment_method": withBank}
	r.learnUUID(uuid.MustParse(second["attempt_id"].(string)))
	here := "/v1/orders/" + r.reference.String()
	method, path, body := http.MethodPost, "/v1/orders", first
	for {
		status, o, err := r.edge(ctx, s, method, path, body)
		r.say("the shop answers %d, %s (%v)", status, o.State, err)
		switch {
		case o.State == "COMPLETE" || o.State == "RECOVERED":
			return nil
		case o.State == "FAILED":
			method, path, body = http.MethodPost, here+":pay", second
		case o.NextAction.Type == "USE_STRIPE_SDK":
			intent, _, _ := strings.Cut(o.NextAction.ClientSecret, "_secret_")
			r.learn([]byte(intent))
			// A conflict: they did, and the shop does not know yet.
			if status, said, err := call(ctx, http.MethodPost, s.StripeURL()+"/_sim/payment_intents/"+intent+"/authenticate", nil, map[string]string{"outcome": "success"}); err != nil || status != http.StatusOK && status != http.StatusConflict {
				return fmt.Errorf("the bank: %d %s %w", status, said, err)
			}
			method, path, body = http.MethodPost, here+":confirm", map[string]any{}
		case method == http.MethodGet && status == http.StatusNotFound:
			method, path, body = http.MethodPost, "/v1/orders", first // it never arrived
		case method == http.MethodPost && path == here+":confirm" && status != http.StatusOK: // again
		default:
			method, path, body = http.MethodGet, here, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// release lets the webhooks through once there is access and its mail is sent.
func release(ctx context.Context, s *shop, r *run) error {
	if err := r.await(ctx, s, "the mail", isTold); err != nil {
		return err
	}
	r.enter("")
	r.hold(false)
	return nil
}

// releaseLate is release when the sweep has found the events, too.
func releaseLate(ctx context.Context, s *shop, r *run) error {
	if err := eventsSettled(ctx, s, r); err != nil {
		return err
	}
	return release(ctx, s, r)
}

// settled waits for everything about an order to be over, so that what comes next
// is a path of its own.
func (r *run) settled(ctx context.Context, s *shop) error {
	if err := r.await(ctx, s, "the mail", isTold); err != nil {
		return err
	}
	return r.await(ctx, s, "its order to rest", `SELECT o.completed_at FROM orders.orders o WHERE o.reference = $1 AND o.next_look_at IS NULL
		AND NOT EXISTS (SELECT FROM payments.attempts a WHERE a.order_id = o.id AND a.next_look_at IS NOT NULL)
		AND NOT EXISTS (SELECT FROM payments.webhook_events e WHERE e.next_look_at IS NOT NULL AND position(o.reference::text in convert_from(e.payload, 'UTF8')) > 0)`)
}

// leavesAfterPaying pays in the browser, which then is closed: the webhook remains.
func leavesAfterPaying(ctx context.Context, s *shop, r *run) error {
	o, err := r.place(ctx, s, nil)
	if err != nil {
		return err
	}
	intent, _, _ := strings.Cut(o.NextAction.ClientSecret, "_secret_")
	r.learn([]byte(intent))
	if err := r.begin(ctx, webhook); err != nil {
		return err
	}
	return s.stripe(ctx, "/v1/payment_intents/"+intent+"/confirm", publishable, url.Values{"client_secret": {o.NextAction.ClientSecret}, "payment_method": {card}}, nil)
}

// hearsLate has everything when Stripe's webhooks come.
func hearsLate(ctx context.Context, s *shop, r *run) error {
	r.hold(true)
	if _, err := r.place(ctx, s, map[string]any{"payment_method": card}); err != nil {
		return err
	}
	if err := r.settled(ctx, s); err != nil {
		return err
	}
	if err := r.begin(ctx, lateWebhook); err != nil {
		return err
	}
	r.hold(false)
	return nil
}

// has buys and has its charge.
func (r *run) has(ctx context.Context, s *shop) error {
	if _, err := r.place(ctx, s, map[string]any{"payment_method": card}); err != nil {
		return err
	}
	if err := r.settled(ctx, s); err != nil {
		return err
	}
	if err := eventsSettled(ctx, s, r); err != nil {
		return err
	}
	return s.DB().QueryRow(ctx, `SELECT charge_id FROM orders.orders WHERE reference = $1`, r.reference).Scan(&r.charge)
}

// isRefunded gets the money back by a colleague's hand, who repeats what was not
// answered.
func isRefunded(ctx context.Context, s *shop, r *run) error {
	if err := r.has(ctx, s); err != nil {
		return err
	}
	payments, _, _ := strings.Cut(s.Env("PAYMENTS_GRPC_ADDR"), ",") // of several, one will do
	conn, err := grpc.NewClient("passthrough:///"+payments, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	wish := &paymentsv1.RefundPaymentRequest{OrderId: r.orderID.String(), RefundId: uuid.NewString(), Reason: "the customer asked for it"}
	r.learnUUID(uuid.MustParse(wish.GetRefundId()))
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.token)
	if err := r.begin(ctx, refunding); err != nil {
		return err
	}
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := paymentsv1.NewPaymentsAdminServiceClient(conn).RefundPayment(try, wish)
		cancel()
		if err == nil {
			r.say("the refund is made")
			return nil
		}
		r.say("the refund is not answered: %v", err)
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// isRefundedThere gets the money back in Stripe's dashboard.
func isRefundedThere(ctx context.Context, s *shop, r *run) error {
	if err := r.has(ctx, s); err != nil {
		return err
	}
	r.learn([]byte(r.charge))
	if err := r.begin(ctx, refundThere); err != nil {
		return err
	}
	return s.stripe(ctx, "/v1/refunds", secret, url.Values{"charge": {r.charge}}, nil)
}

// subscribes pays the first term on Stripe's page, and does not come back: the webhook
// and the looks remain.
func subscribes(ctx context.Context, s *shop, r *run) error {
	if err := r.begin(ctx, subscribing); err != nil {
		return err
	}
	return r.paysOnPage(ctx, s)
}

// paysOnPage orders what renews, and pays it on the page of Stripe's.
func (r *run) paysOnPage(ctx context.Context, s *shop) error {
	o, err := r.place(ctx, s, map[string]any{"plan_id": "annual-subscription", "checkout": "HOSTED"})
	if err != nil {
		return err
	}
	page := o.NextAction.URL
	if status, said, err := call(ctx, http.MethodPost, s.StripeURL()+page[strings.Index(page, "/_sim/"):]+"/complete", nil,
		map[string]string{"payment_method": card, "email": r.email}); err != nil || status != http.StatusOK {
		return fmt.Errorf("the page at Stripe: %d %s %w", status, said, err)
	}
	return nil
}

// renews subscribes, and is charged for a second term.
func renews(ctx context.Context, s *shop, r *run) error {
	if err := r.paysOnPage(ctx, s); err != nil {
		return err
	}
	if err := r.settled(ctx, s); err != nil {
		return err
	}
	var subscription string
	if err := s.DB().QueryRow(ctx, `SELECT subscription_id FROM orders.orders WHERE reference = $1`, r.reference).Scan(&subscription); err != nil {
		return err
	}
	r.learn([]byte(subscription))
	// Without waiting a year: the day of billing is moved by a trial, which then ends,
	// so that the next term begins now; its bill need not be a draft for an hour.
	var billed struct {
		LatestInvoice string `json:"latest_invoice"`
	}
	subscribed := "/v1/subscriptions/" + subscription
	if err := s.stripe(ctx, subscribed, secret, url.Values{"trial_end": {fmt.Sprint(time.Now().Add(time.Hour).Unix())}}, nil); err != nil {
		return err
	}
	if err := r.begin(ctx, renewal); err != nil {
		return err
	}
	if err := s.stripe(ctx, subscribed, secret, url.Values{"trial_end": {"now"}}, &billed); err != nil {
		return err
	}
	return s.stripe(ctx, "/v1/invoices/"+billed.LatestInvoice+"/pay", secret, nil, nil)
}

// isOrphaned is charged for an order that is lost, as after a restored backup, and
// no webhook tells.
func isOrphaned(ctx context.Context, s *shop, r *run) error {
	r.hold(true)
	var customer, intent struct {
		ID           string
		LatestCharge string `json:"latest_charge"`
	}
	mark := url.Values{"metadata[makegood_app]": {appID}}
	mark.Set("email", r.email)
	mark.Set("name", "Jane Example")
	if err := s.stripe(ctx, "/v1/customers", secret, mark, &customer); err != nil {
		return err
	}
	r.learn([]byte(customer.ID))
	if err := r.begin(ctx, reconciling); err != nil {
		return err
	}
	if err := s.stripe(ctx, "/v1/payment_intents", secret, url.Values{
		"amount": {"24900"}, "currency": {"usd"}, "customer": {customer.ID}, "payment_method": {card}, "payment_method_types[]": {"card"}, "confirm": {"true"},
		"metadata[makegood_app]": {appID}, "metadata[order_id]": {r.orderID.String()}, "metadata[reference]": {r.reference.String()}, "metadata[plan_id]": {"annual"},
	}, &intent); err != nil {
		return err
	}
	r.learn([]byte(intent.ID))
	r.learn([]byte(intent.LatestCharge))
	return nil
}

// paysAnother buys another product that is sold on the same account. Its charge names
// an order as ours do, and is none of ours.
func paysAnother(ctx context.Context, s *shop, r *run) error {
	var customer struct{ ID string }
	if err := s.stripe(ctx, "/v1/customers", secret, url.Values{"email": {r.email}}, &customer); err != nil {
		return err
	}
	r.learn([]byte(customer.ID))
	if err := r.begin(ctx, strangers); err != nil {
		return err
	}
	return s.stripe(ctx, "/v1/payment_intents", secret, url.Values{
		"amount": {"24900"}, "currency": {"usd"}, "customer": {customer.ID}, "payment_method": {card}, "payment_method_types[]": {"card"}, "confirm": {"true"},
		"metadata[order_id]": {r.orderID.String()}, "metadata[reference]": {r.reference.String()}, "metadata[plan_id]": {"annual"},
	}, nil)
}

// eventsSettled waits until Stripe's events about a customer are in the ledger and
// over.
func eventsSettled(ctx context.Context, s *shop, r *run) error {
	return r.await(ctx, s, "its events", areOver)
}

// await polls SQL for a time; $1 is the reference.
func (r *run) await(ctx context.Context, s *shop, what, sql string) error {
	for {
		var at *time.Time
		err := s.DB().QueryRow(ctx, sql, r.reference).Scan(&at)
		if err == nil && at != nil {
			return nil
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if pause(ctx, 40*time.Millisecond) != nil {
			return fmt.Errorf("waited in vain for %s", what)
		}
	}
}

// What everybody uses in development.
const (
	card        = "pm_card_visa"
	declined    = "pm_card_visa_chargeDeclinedInsufficientFunds"
	withBank    = "pm_card_authenticationRequired"
	appID       = "makegood"
	secret      = "sk_test_makegood"
	publishable = "pk_test_makegood"
)
