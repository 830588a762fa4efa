package oneprocess

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/deploy/inbox"
)

// Buyer is a person with a browser, who asks the edge.
type Buyer struct {
	Email     string
	Reference string

	w *World
}

// Buyer arrives, with an address of their own.
func (w *World) Buyer(name string) *Buyer {
	return &Buyer{Email: name + "@example.com", Reference: uuid.NewString(), w: w}
}

// Order is an order as REST shows it.
type Order struct {
	ID            string     `json:"id"`
	Kind          string     `json:"kind"`
	State         string     `json:"state"`
	AmountDisplay string     `json:"amount_display"`
	RecoveredBy   string     `json:"recovered_by"`
	AccessUntil   *time.Time `json:"access_until"`
	NextAction    struct {
		Type         string `json:"type"`
		URL          string `json:"url"`
		ClientSecret string `json:"client_secret"`
	} `json:"next_action"`
}

// Place sends an order, any of whose fields may be set beside plan and address.
func (b *Buyer) Place(plan string, more map[string]any) (status int, o Order, said string) {
	b.w.t.Helper()
	body := map[string]any{"plan_id": plan, "email": b.Email, "name": "Jane Example"}
	for k, v := range more {
		body[k] = v
	}
	status, raw := b.w.call(http.MethodPost, "/v1/orders", map[string]string{"Idempotency-Key": b.Reference}, body)
	if status < 400 || status == http.StatusPaymentRequired {
		b.w.decode(raw, &o)
	}
	return status, o, string(raw)
}

// Buys pays a one-off with a card, and must get what was paid for.
func (b *Buyer) Buys(plan, card string) Order {
	b.w.t.Helper()
	status, o, said := b.Place(plan, map[string]any{"payment_method": card})
	if status != http.StatusOK || o.State != "COMPLETE" {
		b.w.t.Fatalf("%s buys %s: %d %s", b.Email, plan, status, said)
	}
	return o
}

// Subscribes orders a plan that renews and pays it on Stripe's page. The browser
// does not come back: what follows is left to the webhooks and the looks.
func (b *Buyer) Subscribes(plan, card string) Order {
	b.w.t.Helper()
	o := b.Orders(plan, "")
	b.PaysOn(o.NextAction.URL, card)
	return o
}

// Orders begins a purchase on Stripe's page; the order says where to pay. An
// empty checkout is the plan's own.
func (b *Buyer) Orders(plan, checkout string) Order {
	b.w.t.Helper()
	more := map[string]any{}
	if checkout != "" {
		more["checkout"] = checkout
	}
	status, o, said := b.Place(plan, more)
	if status != http.StatusOK || o.NextAction.Type != "REDIRECT" {
		b.w.t.Fatalf("%s orders %s: %d %s", b.Email, plan, status, said)
	}
	return o
}

// PaysOn completes a Checkout page.
func (b *Buyer) PaysOn(page, card string) {
	b.w.t.Helper()
	b.PaysWith(page, card, "")
}

// PaysWith is the same with a promotion code of the simulator's.
func (b *Buyer) PaysWith(page, card, code string) {
	b.w.t.Helper()
	if status, said := b.complete(page, card, code); status != http.StatusOK {
		b.w.t.Fatalf("%s pays on %s: %d %s", b.Email, page, status, said)
	}
}

// TriesToPayOn completes a Checkout page that may be closed by now.
func (b *Buyer) TriesToPayOn(page, card string) (paid bool) {
	b.w.t.Helper()
	status, _ := b.complete(page, card, "")
	return status == http.StatusOK
}

func (b *Buyer) complete(page, card, code string) (status int, said []byte) {
	b.w.t.Helper()
	u, err := url.Parse(page)
	if err != nil || !strings.HasPrefix(u.Path, "/_sim/checkout/") {
		b.w.t.Fatalf("%q is no page of Checkout", page)
	}
	return b.w.Stripe.TryControl(u.Path+"/complete", map[string]string{"payment_method": card, "email": b.Email, "promotion_code": code})
}

// ComesBack is the browser after Stripe's page.
func (b *Buyer) ComesBack() (o Order) {
	b.w.t.Helper()
	status, raw := b.w.call(http.MethodPost, "/v1/orders/"+b.Reference+":confirm", nil, map[string]any{})
	if status >= 300 {
		b.w.t.Fatalf("%s comes back: %d %s", b.Email, status, raw)
	}
	b.w.decode(raw, &o)
	return o
}

// Asks makes a request about the order, which may be refused or find nobody.
func (b *Buyer) Asks(method, path string, body any) (status int, o Order) {
	b.w.t.Helper()
	status, raw := b.w.call(method, "/v1/orders"+path, map[string]string{"Idempotency-Key": b.Reference}, body)
	if status < 300 || status == http.StatusPaymentRequired {
		b.w.decode(raw, &o)
	}
	return status, o
}

// Looks reads the order, as its page does.
func (b *Buyer) Looks() (o Order) {
	b.w.t.Helper()
	status, raw := b.w.call(http.MethodGet, "/v1/orders/"+b.Reference, nil, nil)
	if status != http.StatusOK {
		b.w.t.Fatalf("%s looks: %d %s", b.Email, status, raw)
	}
	b.w.decode(raw, &o)
	return o
}

// Access is what the SaaS is told about an account.
type Access struct {
	Active      bool       `json:"active"`
	AccessUntil *time.Time `json:"access_until"`
}

// Access asks as the SaaS's backend does.
func (w *World) Access(account string) (a Access) {
	w.t.Helper()
	status, raw := w.call(http.MethodGet, "/v1/accounts/"+account+"/access", map[string]string{"Authorization": "Bearer " + serviceToken}, nil)
	if status != http.StatusOK {
		w.t.Fatalf("access of %s: %d %s", account, status, raw)
	}
	w.decode(raw, &a)
	return a
}

// Cases are what was opened for a person, open or not, oldest first: the kind,
// what it is about, and what is known.
func (w *World) Cases() []string {
	w.t.Helper()
	rows, err := w.DB.Query(w.t.Context(), "SELECT kind || ' ' || subject || ': ' || summary FROM reconciliation.cases ORDER BY id")
	if err != nil {
		w.t.Fatal(err)
	}
	cases, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return cases
}

// Mail is a delivered mail.
type Mail struct {
	Subject   string            `json:"subject"`
	MessageID string            `json:"message_id"`
	Headers   map[string]string `json:"headers"`
	Text      string            `json:"text"`
}

// Kind is what the mail is, in lower case.
func (m Mail) Kind() string { return m.Headers["X-Makegood-Kind"] }

// Mails are what lies in an inbox, oldest first.
func (w *World) Mails(email string) (mails []Mail) {
	w.t.Helper()
	_, raw, err := w.do(http.MethodGet, "http://"+w.inbox.HTTPAddr()+"/api/messages?to="+url.QueryEscape(email), nil, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.decode(raw, &mails)
	slices.Reverse(mails)
	return mails
}

// MailURL is where the inbox tells what it has received.
func (w *World) MailURL() string { return "http://" + w.inbox.HTTPAddr() }

// MailFaults has the mail server misbehave.
func (w *World) MailFaults(f inbox.Faults) {
	w.t.Helper()
	body, err := json.Marshal(f)
	if err != nil {
		w.t.Fatal(err)
	}
	status, said, err := w.do(http.MethodPost, "http://"+w.inbox.HTTPAddr()+"/api/faults", body, nil)
	if err != nil || status != http.StatusOK {
		w.t.Fatalf("mail faults: %d %s %v", status, said, err)
	}
}

// MailFaultsNow are those that have not struck yet.
func (w *World) MailFaultsNow() (f inbox.Faults) {
	w.t.Helper()
	status, raw, err := w.do(http.MethodGet, w.MailURL()+"/api/faults", nil, nil)
	if err != nil || status != http.StatusOK {
		w.t.Fatalf("mail faults: %d %s %v", status, raw, err)
	}
	w.decode(raw, &f)
	return f
}

func (w *World) call(method, path string, header map[string]string, body any) (int, []byte) {
	w.t.Helper()
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	status, raw, err := w.do(method, w.url+path, sent, header)
	if err != nil {
		w.t.Fatal(err)
	}
	return status, raw
}

// do sends one request over a real connection. Any HTTP answer is an answer.
func (w *World) do(method, target string, body []byte, header map[string]string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(w.t.Context(), method, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		request.Header.Set(k, v)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, raw, err
}

func (w *World) decode(raw []byte, into any) {
	w.t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		w.t.Fatalf("%v: %s", err, raw)
	}
}
