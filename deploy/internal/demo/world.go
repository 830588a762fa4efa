package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/deploy/internal/stack"
)

// world is what can be known from outside: by the browser's requests, and by
// looking at Stripe, into the database as its owner, and into the mailbox.
type world struct {
	stack     *stack.Stack
	reference string
}

// requestTimeout is the patience of a browser.
const requestTimeout = 15 * time.Second

// answer is what came back over HTTP.
type answer struct {
	status int
	body   []byte
}

func (w world) request(ctx context.Context, method, url string, header map[string]string, body any) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, sent)
	if err != nil {
		return answer{}, err
	}
	for key, value := range header {
		request.Header.Set(key, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, got}, err
}

// fetch decodes what a GET answers with 200.
func (w world) fetch(ctx context.Context, url string, header map[string]string, into any) error {
	got, err := w.request(ctx, http.MethodGet, url, header, nil)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", url, got.status, got.body)
	}
	return json.Unmarshal(got.body, into)
}

// buy is the browser's request. Made again it is the same purchase.
func (w world) buy(ctx context.Context) (answer, error) {
	return w.request(ctx, http.MethodPost, w.stack.URL()+"/v1/orders",
		map[string]string{"Idempotency-Key": w.reference, "Content-Type": "application/json"},
		map[string]string{"plan_id": "annual", "email": customer, "name": "Jane Doe", "payment_method": "pm_card_visa"})
}

// apology is the error that the API answers with while it cannot know.
type apology struct {
	Message string
	Details []struct {
		Reason   string
		Metadata map[string]string
	}
}

// unavailable reads an answer that must be a 503 with the reference.
func (w world) unavailable(got answer) (apology, error) {
	var a apology
	if err := json.Unmarshal(got.body, &a); got.status != http.StatusServiceUnavailable || err != nil {
		return a, fmt.Errorf("expected a 503, got %d: %s", got.status, got.body)
	}
	if len(a.Details) == 0 || a.Details[0].Metadata["reference"] != w.reference {
		return a, fmt.Errorf("the 503 does not carry the reference: %s", got.body)
	}
	return a, nil
}

// charge is one of Stripe's.
type charge struct {
	ID             string
	Amount         int64
	AmountRefunded int64 `json:"amount_refunded"`
	Currency       string
	Status         string
	Customer       string
}

type stripeEvent struct{ ID, Type string }

// stripe is what Stripe knows.
func (w world) stripe(ctx context.Context) (charges []charge, events []stripeEvent, err error) {
	var state struct {
		Charges []charge
		Events  []stripeEvent
	}
	err = w.fetch(ctx, w.stack.StripeURL()+"/_sim/state", nil, &state)
	return state.Charges, state.Events, err
}

// theCharge is the only one, which must be what Jane agreed to.
func (w world) theCharge(ctx context.Context) (charge, error) {
	charges, _, err := w.stripe(ctx)
	if err != nil {
		return charge{}, err
	}
	if len(charges) != 1 {
		return charge{}, fmt.Errorf("%d charges at Stripe, not one: %+v", len(charges), charges)
	}
	if c := charges[0]; c.Status != "succeeded" || c.Amount != 24900 || c.Currency != "usd" || c.AmountRefunded != 0 {
		return c, fmt.Errorf("the charge at Stripe is not $249.00, succeeded: %+v", c)
	}
	return charges[0], nil
}

// order is its row; the zero ID when there is none yet.
type order struct {
	ID          uuid.UUID
	State       string
	RecoveredBy string
	CreatedAt   time.Time
}

func (w world) order(ctx context.Context) (order, error) {
	var o order
	err := w.stack.DB().QueryRow(ctx, `SELECT id, state, coalesce(recovered_by, ''), created_at FROM orders.orders WHERE reference = $1`, w.reference).
		Scan(&o.ID, &o.State, &o.RecoveredBy, &o.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return order{}, nil
	}
	return o, err
}

// tally counts everything there is, in every schema.
type tally struct {
	Orders, Grants, Messages, Cases, Triggers int
}

func (w world) tally(ctx context.Context) (t tally, err error) {
	err = w.stack.DB().QueryRow(ctx, `SELECT
		(SELECT count(*) FROM orders.orders),
		(SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL),
		(SELECT count(*) FROM notifications.messages),
		(SELECT count(*) FROM reconciliation.cases),
		(SELECT count(*) FROM pg_trigger WHERE tgname = 'demo_hold')`).
		Scan(&t.Orders, &t.Grants, &t.Messages, &t.Cases, &t.Triggers)
	return t, err
}

// grant is the access of an order; the zero time when there is none.
type grant struct{ CreatedAt, EndsAt time.Time }

func (w world) grant(ctx context.Context, order uuid.UUID) (g grant, err error) {
	err = w.stack.DB().QueryRow(ctx, `SELECT created_at, ends_at FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL`, order).Scan(&g.CreatedAt, &g.EndsAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return grant{}, nil
	}
	return g, err
}

// mail is what the mail server accepted.
type mail struct {
	ReceivedAt time.Time `json:"received_at"`
	To         []string
	Subject    string
	Headers    map[string]string
	Text       string
}

func (w world) inbox(ctx context.Context) (mails []mail, err error) {
	err = w.fetch(ctx, w.stack.InboxURL()+"/api/messages", nil, &mails)
	return mails, err
}

// redeliver has Stripe send its word about the payment once more, and says
// whether it was acknowledged.
func (w world) redeliver(ctx context.Context) (acknowledged bool, err error) {
	_, events, err := w.stripe(ctx)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(events, func(e stripeEvent) bool { return e.Type == "payment_intent.succeeded" })
	if i < 0 {
		return false, errors.New("no event at Stripe about the payment")
	}
	got, err := w.request(ctx, http.MethodPost, w.stack.StripeURL()+"/_sim/webhooks/deliver", nil, map[string]string{"event_id": events[i].ID})
	if err != nil {
		return false, err
	}
	var told struct {
		Deliveries []struct {
			LastStatus int `json:"last_status"`
		}
	}
	err = json.Unmarshal(got.body, &told)
	return len(told.Deliveries) == 1 && told.Deliveries[0].LastStatus == http.StatusOK, err
}

// described is an order as a person with a role sees it.
type described struct {
	Order struct {
		State       string
		RecoveredBy string    `json:"recovered_by"`
		AccessUntil time.Time `json:"access_until"`
	}
	History []struct {
		FromState string `json:"from_state"`
		ToState   string `json:"to_state"`
		Reason    string
		Actor     string
		At        time.Time
		Note      string
	}
}

func (w world) describe(ctx context.Context, id uuid.UUID) (d described, err error) {
	token, err := w.stack.Token("admin")
	if err != nil {
		return d, err
	}
	err = w.fetch(ctx, w.stack.AdminURL()+"/admin/v1/orders/"+id.String(), map[string]string{"Authorization": "Bearer " + token}, &d)
	return d, err
}
