package oneprocess_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"google.golang.org/grpc/metadata"

	"makegood.example/deploy/internal/oneprocess"
	ordersv1 "makegood.example/proto/gen/orders/v1"
)

const examplesFile = "../../../proto/openapi/examples.json"

// called is one example of the contract: a call, and how it was answered.
type called struct {
	Name       string            `json:"name"`
	Title      string            `json:"title"`
	Call       string            `json:"call"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Token      bool              `json:"token,omitempty"`
	Body       json.RawMessage   `json:"body,omitempty"`
	Status     int               `json:"status"`
	Answer     json.RawMessage   `json:"answer"`
}

// What examples say in place of what is another in every world.
const (
	exampleAccount   = "7d4c2b6e-90f1-4a38-8c5d-e3b06f192a74"
	exampleLink      = "THE-TOKEN-OF-THE-MAILS-LINK"
	exampleToken     = "the-token-of-the-link"
	exampleSignature = "t=1767258000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"
)

// contract plays the examples to a world, and holds all of it to what is published.
type contract struct {
	t   *testing.T
	w   *oneprocess.World
	url string
	api *openapi3.T
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
	w := oneprocess.New(t, oneprocess.Options{Post: oneprocess.Silent, Settings: map[string]string{"APP_NAME": "Acme", "STRIPE_PUBLISHABLE_KEY": "pk_test_example"}})
	address, _ := w.Setting("PUBLIC_URL")
	c := &contract{t: t, w: w, url: address, real: map[string]string{}, answers: map[string][]byte{}}
	c.publish()
	raw, err := os.ReadFile(examplesFile)
	if err != nil {
		t.Fatal(err)
	}
	var examples []called
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
