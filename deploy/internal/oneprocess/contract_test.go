package oneprocess_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"makegood.example/deploy/internal/oneprocess"
	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/proto/openapi"
)

const examplesFile = "../../../proto/openapi/examples.json"

// What examples say in place of what is another in every world.
const (
	exampleAccount   = "7d4c2b6e-90f1-4a38-8c5d-e3b06f192a74"
	adoptedAccount   = "3a9f1c20-5b7e-4d16-9e08-c4b2d7a6f513"
	exampleLink      = "THE-TOKEN-OF-THE-MAILS-LINK"
	exampleToken     = "the-token-of-the-link"
	exampleCharge    = "ch_3ExampleOfTheOldShop"
	otherCharge      = "ch_4ExampleOfTheOldShop"
	exampleSignature = "t=1767258000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"
)

// contract plays the examples to a world, and holds all of it to what is published.
type contract struct {
	t *testing.T
	w *oneprocess.World
	// published are the documents of the two listeners.
	published [2]published
	// written are the examples as they stand, with the ids that are the same in every world.
	written string
	// real is what stands in this world for what the examples say.
	real map[string]string
	// answers are those of this world, by the example's name.
	answers map[string][]byte
}

// Every example of the published contract is a call that is made here, in their
// order, and is answered as it says; requests and answers are as their schemas have
// them. EXAMPLES=write writes down how they are answered; then make generate.
func TestTheContractsExamples(t *testing.T) {
	t.Parallel()
	ownership := filepath.Join(t.TempDir(), "ownership.json")
	if err := os.WriteFile(ownership, []byte(`{"rules": [{"metadata": {"key": "shop", "value": "old"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(app.Close)
	w := oneprocess.New(t, oneprocess.Options{Post: oneprocess.Silent, Settings: map[string]string{
		"APP_NAME": "Acme", "STRIPE_PUBLISHABLE_KEY": "pk_test_example", "OWNERSHIP_FILE": ownership,
		"ACCESS_HOOK_URL": app.URL, "ACCESS_HOOK_ALLOW_PRIVATE": "true", "ACCESS_HOOK_SECRETS": "whsec_" + strings.Repeat("c2VjcmV0", 4),
	}})
	address, _ := w.Setting("PUBLIC_URL")
	c := &contract{t: t, w: w, real: map[string]string{}, answers: map[string][]byte{}}
	c.published = [2]published{c.publish(address), c.publish(w.AdminURL())}
	raw, err := os.ReadFile(examplesFile)
	if err != nil {
		t.Fatal(err)
	}
	c.written = string(raw)
	var examples []openapi.Example
	if err := json.Unmarshal(raw, &examples); err != nil {
		t.Fatal(err)
	}
	before := c.between()
	for i := range examples {
		e := &examples[i]
		if prepare, ok := before[e.Name]; ok {
			prepare()
			delete(before, e.Name)
		}
		said := c.play(e)
		if writes() {
			e.Answer = said
		} else if !same(said, e.Answer) {
			t.Errorf("%s is answered with\n%s\nand the contract has\n%s", e.Name, said, e.Answer)
		}
	}
	for name := range before {
		t.Errorf("there is no example %s", name)
	}
	if !writes() {
		return
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(examples); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(examplesFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writes says that the examples' answers are wanted, and not compared.
func writes() bool { return os.Getenv("EXAMPLES") == "write" }

// between is what happens in the world before an example.
func (c *contract) between() map[string]func() {
	return map[string]func(){
		"back_from_stripe": func() {
			var o oneprocess.Order
			c.read("on_stripes_page", &o)
			c.w.Buyer("alex").PaysOn(o.NextAction.URL, "pm_card_visa")
		},
		"paused":        func() { c.charging(true) },
		"order":         func() { c.charging(false) },
		"link_followed": c.mailLink,
		"moment":        func() { c.w.Stop("provisioning") },
		"refund_taken":  c.offerRefund,
		"mails":         c.w.Settle,
		"looked_up":     c.provesTheCard,
		"run":           c.oldShop,
		"runs":          c.w.Settle,
		"explained":     c.w.Settle,
		"ledger":        c.strangers,
		"incidents":     c.problem,
		"hooks":         c.adoptedHook,
		"export_tried":  c.w.Settle,
		"exported":      c.onlyWrote,
		"days":          c.w.Settle,
	}
}

// provesTheCard has the buyer whose bank asked answer it, and nobody hear of that.
func (c *contract) provesTheCard() {
	c.t.Helper()
	var o oneprocess.Order
	c.read("bank_asks", &o)
	intent, _, _ := strings.Cut(o.NextAction.ClientSecret, "_secret_")
	c.w.Stripe.Authenticate(intent)
}

// oldShop charges somebody twice on the account in another shop of its owner's, and
// has the account read.
func (c *contract) oldShop() {
	c.t.Helper()
	ctx := metadata.AppendToOutgoingContext(c.t.Context(), "authorization", "Bearer "+c.w.Credentials()["admin"])
	for _, charge := range []struct{ example, amount string }{{exampleCharge, "24900"}, {otherCharge, "3900"}} {
		var customer struct{ ID string }
		c.w.Stripe.Post("/v1/customers", url.Values{"email": {"joe@example.com"}}, &customer)
		c.w.Stripe.Post("/v1/payment_intents", url.Values{
			"amount": {charge.amount}, "currency": {"usd"}, "confirm": {"true"}, "customer": {customer.ID},
			"payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"}, "metadata[shop]": {"old"},
		}, nil)
		c.real[charge.example] = c.w.Stripe.Charges(customer.ID)[0].ID
		if _, err := reconciliationv1.NewReconciliationServiceClient(c.w.Conn("reconciliation", "")).StartRun(ctx, &reconciliationv1.StartRunRequest{}); err != nil {
			c.t.Fatal(err)
		}
		c.w.Settle()
	}
}

// strangers are events for which nobody was found, each of another Stripe customer.
func (c *contract) strangers() {
	c.t.Helper()
	for _, n := range []string{"2", "3", "4"} {
		body := fmt.Sprintf(`{"id": "evt_%[1]sExample", "object": "event", "api_version": "2023-10-16", "created": 1767258000, "livemode": false,
			"type": "customer.updated", "data": {"object": {"id": "cus_%[1]sExample", "object": "customer"}}}`, n)
		if _, err := c.w.DB.Exec(c.t.Context(), `INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, customer_id, payload, received_at, processed_at)
			VALUES ('evt_' || $1 || 'Example', 'customer.updated', false, '2023-10-16', 'cus_' || $1 || 'Example', 'ORPHANED', 1, 'cus_' || $1 || 'Example', $2, $3, $3)`,
			n, []byte(body), c.w.Clock.Now()); err != nil {
			c.t.Fatal(err)
		}
	}
}

// problem is one that nothing else in this world reports.
func (c *contract) problem() {
	c.t.Helper()
	now := timestamppb.New(c.w.Clock.Now())
	if _, err := notificationsv1.NewNotificationsServiceClient(c.w.Conn("notifications", "reconciliation")).ReportIncidents(c.t.Context(), &notificationsv1.ReportIncidentsRequest{
		Source: "examples", AsOf: now,
		Incidents: []*notificationsv1.IncidentReport{{
			Key: "an-example", Tier: notificationsv1.Incident_PAGE_NOW, Title: "A customer paid and has no access",
			Meaning: "One order is paid and past what its buyer was promised.", NextStep: "Open the case and recover the order.",
			Count: 1, Since: now, Items: []*notificationsv1.IncidentItem{{Text: "order D04C7B93, $249.00", Path: "/cases/1"}},
		}},
	}); err != nil {
		c.t.Fatal(err)
	}
}

// adoptedHook is of the account that was made for the old shop's buyer, whose access
// changed once.
func (c *contract) adoptedHook() {
	c.t.Helper()
	var adopted struct{ Order oneprocess.Order }
	c.read("adopted", &adopted)
	c.real[adoptedAccount] = account(c.t, c.w, adopted.Order.ID)
	c.w.Settle()
}

// onlyWrote has somebody write who never bought: of them all that is kept is the same in
// every world.
func (c *contract) onlyWrote() {
	c.t.Helper()
	ctx := metadata.AppendToOutgoingContext(c.t.Context(), "authorization", "Bearer "+c.w.Credentials()["admin"])
	if _, err := reconciliationv1.NewSupportServiceClient(c.w.Conn("reconciliation", "")).OpenTicket(ctx, &reconciliationv1.OpenTicketRequest{
		Email: "noor@example.com", Subject: "a question", Description: "Is there a plan for schools?", Category: reconciliationv1.Ticket_GENERAL,
		IdempotencyKey: "5e0c1a91-7b2d-4f38-9c64-1d0f8e3a2b91",
	}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *contract) read(name string, into any) {
	c.t.Helper()
	if err := json.Unmarshal(c.answers[name], into); err != nil {
		c.t.Fatal(err)
	}
}

// charging turns the switch, as an admin does.
func (c *contract) charging(paused bool) {
	c.t.Helper()
	ctx := metadata.AppendToOutgoingContext(c.t.Context(), "authorization", "Bearer "+c.w.Credentials()["admin"])
	if _, err := ordersv1.NewOrdersAdminServiceClient(c.w.Conn("orders", "")).SetCharging(ctx, &ordersv1.SetChargingRequest{Paused: paused, Reason: "an example"}); err != nil {
		c.t.Fatal(err)
	}
}

// mailLink waits for the mail whose link a buyer follows, into an account that is
// known by now.
func (c *contract) mailLink() {
	c.t.Helper()
	var o oneprocess.Order
	c.read("paid", &o)
	c.real[exampleAccount] = account(c.t, c.w, o.ID)
	c.w.Settle()
	for _, m := range c.w.Mails("jane@example.com") {
		if found := regexp.MustCompile(`activate\?token=([\w-]+)`).FindStringSubmatch(m.Text); found != nil {
			c.real[exampleLink] = found[1]
			return
		}
	}
	c.t.Fatal("no mail has a link")
}

// offerRefund lets the buyer wait until the mail comes whose link the example takes.
func (c *contract) offerRefund() {
	c.t.Helper()
	link := regexp.MustCompile(`refund=([\w.~%-]+)`)
	for range 120 {
		for _, m := range c.w.Mails("lee@example.com") {
			if found := link.FindStringSubmatch(m.Text); found != nil {
				token, err := url.QueryUnescape(found[1])
				if err != nil {
					c.t.Fatal(err)
				}
				c.real[exampleToken] = token
				c.w.Start("provisioning")
				c.w.AwaitReady()
				return
			}
		}
		c.w.Advance(time.Minute, nil)
	}
	c.t.Fatal("no refund was offered")
}
