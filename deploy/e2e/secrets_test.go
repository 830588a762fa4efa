package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"makegood.example/deploy/internal/collector"
	"makegood.example/deploy/internal/secretive"
	"makegood.example/deploy/internal/stack"
)

// TestNothingSecretIsTold runs the product, errors included, and reads everything
// that it wrote down or said: no log, span, metric, error or command line has an
// address, a name, a token, a key or a card of anyone.
func TestNothingSecretIsTold(t *testing.T) {
	t.Parallel()
	spans := collector.Start(t)
	s := open(t, append(spans.Settings, "METRICS_ADDR=127.0.0.1:9090", "GRPC_TLS_DIR=auto", "RECONCILE_EVERY=1s", "RESCUE_AFTER=2s", "APOLOGY_AFTER=1s", "ALERT_EMAILS=team@example.com")...)
	secrets := secretive.New()
	keepInstallation(t, s, secrets)
	refused := live(t, s, secrets)

	t.Run("what was planted is found", func(t *testing.T) {
		for what, word := range secrets.Words {
			if len(secrets.In(`{"msg":"oh: `+word+`"}`)) == 0 || len(secrets.In("x\ny="+strings.ToUpper(url.QueryEscape(word))+"\nz")) == 0 {
				t.Errorf("%s is not found", what)
			}
		}
		for _, planted := range []string{
			"Sam.Example+x@example.com", "sam%40example.com", "pi_1_secret_2", "sk_live_1", "whsec_1", "mg_admin_1", "4242 4242 4242 4242", "Authorization: Bearer abcdefgh",
			"postgres://orders:word@127.0.0.1/x", "-----BEGIN PRIVATE KEY-----", "t=1,v1=0123456789abcdef0123",
		} {
			if len(secrets.In("a line: "+planted)) == 0 {
				t.Errorf("%q is not found", planted)
			}
		}
	})
	if told := secrets.In(`{"service":"orders","order_id":"6f9619ff-8b86-5011-b42d-00cf4fc964ff","msg":"Moved to hello@makegood.example","charge":"ch_1","intent":"pi_1"}`); len(told) != 0 {
		t.Errorf("found where nothing is: %v", told)
	}
	for what, body := range refused {
		if told := secrets.In(body); len(told) != 0 {
			t.Errorf("the answer to %s tells\n  %s", what, strings.Join(told, "\n  "))
		}
	}
	_, metrics := get(t, s.MetricsURL())
	if told := secrets.In(metrics); len(told) != 0 || !strings.Contains(metrics, "makegood_rpc_server_calls_total") {
		t.Errorf("the metrics tell\n  %s", strings.Join(told, "\n  "))
	}
	for _, name := range append(slices.Clone(services), "gateway") {
		await(t, "spans of "+name, func() bool {
			return len(spans.Find(func(c collector.Span) bool { return c.Service == name })) > 0
		})
	}
	if told := secrets.In(spans.Raw()); len(told) != 0 {
		t.Errorf("the spans tell\n  %s", strings.Join(told, "\n  "))
	}
	judgeProcesses(t, s, secrets)
	for _, name := range append(s.Names(), "migrate") {
		text, err := os.ReadFile(filepath.Join(s.Dir(), "log", name+".log"))
		if err != nil || len(text) == 0 {
			t.Errorf("nothing was read of %s: %v", name, err)
		}
		if told := secrets.In(string(text)); len(told) != 0 {
			t.Errorf("the log of %s tells\n  %s", name, strings.Join(told, "\n  "))
		}
	}
}

// keepInstallation keeps what the installation itself has.
func keepInstallation(t *testing.T, s *shop, secrets *secretive.Secrets) {
	t.Helper()
	state, err := stack.OpenState(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	secrets.Keep("the webhook secret", state.WebhookSecret)
	for service, password := range state.DatabasePasswords {
		secrets.Keep("the database password of "+service, password)
	}
	for _, name := range []string{"admin", "service"} {
		token, err := s.Token(name)
		if err != nil {
			t.Fatal(err)
		}
		secrets.Keep("the "+name+" token", token)
	}
	if owner, err := url.Parse(s.Env("DATABASE_URL")); err == nil {
		password, _ := owner.User.Password()
		secrets.Keep("the owner's database password", password)
	}
	keys, err := filepath.Glob(filepath.Join(s.Env("GRPC_TLS_DIR"), "*-key.pem"))
	if err != nil || len(keys) != 6 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, path := range keys {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(body)
		if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
			t.Fatal(err)
		}
		secrets.Keep(filepath.Base(path), strings.Split(string(body), "\n")[1])
	}
}

// live is a day of the shop: purchases, refusals, a crash, the desk, attacks. It
// returns the errors that were answered, by what was asked.
func live(t *testing.T, s *shop, secrets *secretive.Secrets) map[string]string {
	t.Helper()
	refused := map[string]string{}
	arrive := func(name string) *buyer {
		b := s.buyer(name)
		secrets.Keep("the address of "+name, b.email)
		return b
	}
	asks := func(b *buyer, what, method, path string, header map[string]string, body any) answer {
		t.Helper()
		a := b.call(t, method, path, header, body)
		if a.Status < 400 {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
		refused[what] = a.Body
		return a
	}
	secrets.Keep("a name", "Winifred Example-Quux")
	named := func(b *buyer, card string) map[string]any {
		request := b.request(card)
		request["name"] = "Winifred Example-Quux"
		return request
	}

	jane := arrive("jane.buys")
	paid := jane.call(t, http.MethodPost, "/v1/orders", jane.key(), named(jane, card))
	if !paid.fulfilled() {
		t.Fatalf("%d %s", paid.Status, paid.Body)
	}
	jane.judgeFulfilled(t, outcome{})
	link := regexp.MustCompile(`/activate\?token=(\S+)`).FindStringSubmatch(jane.mails(t)[0].Text)
	secrets.Keep("an activation token", link[1])
	get(t, s.AppURL()+link[0])

	declined := arrive("declined.buyer")
	asks(declined, "a declined card", http.MethodPost, "/v1/orders", declined.key(), named(declined, cardDeclined))
	bank := arrive("asked.by-bank")
	secret := bank.pays(t, cardWith3DS).NextAction.ClientSecret
	secrets.Keep("a client secret", secret)
	for _, in := range bank.atStripe(t).intents {
		bank.authenticates(t, in.ID)
	}
	bank.awaitAccess(t)

	bad := arrive("bad.requests")
	malformed := bad.request(card)
	malformed["email"] = "bad.requests@@example.com"
	asks(bad, "a malformed address", http.MethodPost, "/v1/orders", bad.key(), malformed)
	asks(bad, "half a body", http.MethodPost, "/v1/orders", bad.key(), `{"email":"bad.requests@example.com",`)
	asks(bad, "a wrong type", http.MethodPost, "/v1/orders", bad.key(), `{"plan_id":7,"email":"bad.requests@example.com"}`)
	asks(bad, "no card", http.MethodPost, "/v1/orders", map[string]string{"Idempotency-Key": uuid.NewString()}, bad.request("pm_4242424242424242"))
	asks(bad, "an address for a reference", http.MethodGet, "/v1/orders/bad.requests@example.com", nil, nil)
	other := jane.request(card)
	other["email"] = bad.email
	asks(bad, "a used key", http.MethodPost, "/v1/orders", jane.key(), other)
	again := &buyer{shop: s, email: jane.email, reference: uuid.NewString()}
	asks(again, "a purchase twice", http.MethodPost, "/v1/orders", again.key(), again.request(card))
	secrets.Keep("a guessed refund token", "guessed-refund-token-of-somebody")
	asks(jane, "a guessed refund", http.MethodPost, "/v1/orders/"+jane.reference+":refund", nil, map[string]any{"token": "guessed-refund-token-of-somebody"})
	secrets.Keep("a guessed token", "guessed-token-of-nobody")
	asks(bad, "a guessed token", http.MethodGet, "/v1/accounts/"+uuid.NewString()+"/access", map[string]string{"Authorization": "Bearer guessed-token-of-nobody"}, nil)
	asks(bad, "a forged delivery", http.MethodPost, "/webhooks/stripe", map[string]string{"Stripe-Signature": "t=1,v1=" + strings.Repeat("ab", 32)}, `{"id":"evt_1","data":{"object":{"customer_email":"bad.requests@example.com"}}}`)

	// Somebody pays while Orders is killed, and while Provisioning is away.
	s.down(t, "provisioning")
	waits := arrive("waits.for-access")
	waits.pays(t, card)
	s.down(t, "orders")
	asks(waits, "a purchase without Orders", http.MethodPost, "/v1/orders", map[string]string{"Idempotency-Key": uuid.NewString()}, waits.request(card))
	s.up(t, "orders", "provisioning")
	waits.awaitAccess(t)

	token, err := s.Token("admin")
	if err != nil {
		t.Fatal(err)
	}
	desk := func(header map[string]string, method, path, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.AdminURL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		for key, value := range header {
			request.Header.Set(key, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		read, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(read)
	}
	person := map[string]string{"Authorization": "Bearer " + token}
	act := func() string { return fmt.Sprintf(`{"idempotency_key":%q,"reason":"they asked"}`, uuid.NewString()) }
	for _, c := range []struct{ path, body string }{
		{"support:lookup", fmt.Sprintf(`{"query":%q}`, jane.email)},
		{"support:lookup", `{"card":{"last4":"4242","amount_minor":"24900","currency":"USD","date":"2026-01-02"}}`},
		{"support:recover", fmt.Sprintf(`{"order_id":%q,"act":%s}`, waits.record(t).ID, act())},
		{"support:refund", fmt.Sprintf(`{"order_id":%q,"act":%s}`, paid.ID, act())},
	} {
		if status, body := desk(person, http.MethodPost, "/admin/v1/"+c.path, c.body); status != http.StatusOK {
			t.Errorf("%s: %d %s", c.path, status, body)
		}
	}
	for what, c := range map[string]struct {
		header     map[string]string
		path, body string
	}{
		"a person nobody knows":      {map[string]string{"Authorization": "Bearer guessed-token-of-nobody"}, "support:lookup", fmt.Sprintf(`{"query":%q}`, jane.email)},
		"a wish without a reason":    {person, "support:recover", fmt.Sprintf(`{"email":%q}`, jane.email)},
		"a refund of what is not":    {person, "support:refund", fmt.Sprintf(`{"order_id":%q,"act":%s}`, uuid.NewString(), act())},
		"an adoption of what is not": {person, "support:adopt", fmt.Sprintf(`{"charge_id":"ch_none","email":%q,"act":%s}`, jane.email, act())},
	} {
		status, body := desk(c.header, http.MethodPost, "/admin/v1/"+c.path, c.body)
		if status < 400 {
			t.Logf("%s: %d", what, status) // said in the answer, which is for the person who asked
			continue
		}
		refused[what] = body
	}
	await(t, "the refund", func() bool { return jane.record(t).State == "REFUNDED" })
	jane.awaitMail(t, "refund")
	s.awaitDeliveries(t)
	await(t, "a sweep", func() bool {
		return s.count(t, "SELECT count(*) FROM reconciliation.runs WHERE status = 'SUCCEEDED'") > 0
	})
	return refused
}

// judgeProcesses reads what any user of the machine can list, and what each process
// was given: only its own.
func judgeProcesses(t *testing.T, s *shop, secrets *secretive.Secrets) {
	t.Helper()
	mayHave := map[string][]string{
		"the webhook secret": {"payments", "stripesim"},
		"a Stripe key":       {"payments"},
		"a webhook secret":   {"payments", "stripesim"},
	}
	for _, service := range services {
		mayHave["the database password of "+service] = []string{service}
	}
	for _, name := range s.Names() {
		pid, err := s.PID(name)
		if err != nil {
			t.Fatal(err)
		}
		listed, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(listed) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		if told := secrets.In(string(listed)); len(told) != 0 {
			t.Errorf("the command line of %s tells\n  %s", name, strings.Join(told, "\n  "))
		}
		given, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, told := range secrets.In(strings.ReplaceAll(string(given), "\x00", "\n")) {
			what, _, _ := strings.Cut(told, " in: ")
			if what == "a password in an address" && slices.Contains(services, name) && strings.Contains(told, strings.ToUpper(name)+"_DATABASE_URL=") {
				continue
			}
			if what == "an address of a customer" && strings.Contains(told, "ALERT_EMAILS=") {
				continue // the team's own
			}
			if !slices.Contains(mayHave[what], name) {
				t.Errorf("%s was given %s", name, told)
			}
		}
	}
}
