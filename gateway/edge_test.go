package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/gateway"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
)

func TestAWebhookIsHandedOnExactlyAsItCame(t *testing.T) {
	gw := start(t, nil)
	raw := "\x1f\x8b\x00 {\"id\": \"evt_1\"}\r\n"
	var got *paymentsv1.ReceiveWebhookRequest
	gw.peers.Payments.Webhook = func(r *paymentsv1.ReceiveWebhookRequest) (string, error) {
		got = r
		return "PROCESSED", nil
	}
	a := gw.do(t, "POST", "/webhooks/stripe", raw, "Stripe-Signature", "t=1,v1=abc", "Content-Encoding", "gzip")
	if a.status != 200 || strings.TrimSpace(a.body) != `{"status":"PROCESSED"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if string(got.GetPayload()) != raw || got.GetSignature() != "t=1,v1=abc" {
		t.Errorf("payload %q, signature %q", got.GetPayload(), got.GetSignature())
	}
}

func TestAWebhookIsAcknowledgedOnlyWhenPaymentsDoes(t *testing.T) {
	gw := start(t, nil)
	for _, c := range []struct {
		err    error
		status int
		reason string
	}{
		{apperr.New(codes.InvalidArgument, "INVALID_SIGNATURE", "x"), 400, "INVALID_SIGNATURE"},
		{apperr.New(codes.Aborted, "EVENT_BUSY", "x"), 503, "EVENT_BUSY"},
		{apperr.New(codes.NotFound, "ACCOUNT_NOT_FOUND", "x"), 503, "ACCOUNT_NOT_FOUND"},
		{apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "x"), 503, "STRIPE_UNREACHABLE"},
		{errors.New("boom"), 503, "INTERNAL"},
	} {
		gw.peers.Payments.Webhook = func(*paymentsv1.ReceiveWebhookRequest) (string, error) { return "", c.err }
		gw.do(t, "POST", "/webhooks/stripe", "{}").wants(t, c.status, c.reason)
	}
	gw.net.Stop("payments")
	gw.do(t, "POST", "/webhooks/stripe", "{}").wants(t, 503, "SERVICE_UNAVAILABLE")
}

// Deliveries that wait for Payments share a call; each gets its own answer, and
// one that must be handled is handed over by itself.
func TestDeliveriesThatWaitAreFiledTogether(t *testing.T) {
	gw := start(t, nil)
	const n = 40
	arrived, release := make(chan struct{}, n), make(chan struct{})
	gw.peers.Payments.File = func(r *paymentsv1.FileWebhooksRequest) []string {
		arrived <- struct{}{}
		<-release
		var statuses []string
		for _, d := range r.GetDeliveries() {
			status := "IGNORED"
			if strings.HasSuffix(string(d.GetPayload()), "7") {
				status = "" // must be handled
			}
			statuses = append(statuses, status)
		}
		return statuses
	}
	gw.peers.Payments.Webhook = func(r *paymentsv1.ReceiveWebhookRequest) (string, error) {
		if strings.HasSuffix(string(r.GetPayload()), "17") {
			return "", apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "x")
		}
		return "PROCESSED", nil
	}
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			a := gw.do(t, "POST", "/webhooks/stripe", strconv.Itoa(i))
			want := `200 {"status":"IGNORED"}`
			switch {
			case i == 17:
				a.wants(t, 503, "STRIPE_UNREACHABLE")
				return
			case i%10 == 7:
				want = `200 {"status":"PROCESSED"}`
			}
			if got := fmt.Sprintf("%d %s", a.status, strings.TrimSpace(a.body)); got != want {
				t.Errorf("delivery %d: %s, want %s", i, got, want)
			}
		})
	}
	<-arrived
	close(release)
	done.Wait()
}

// What Payments says nothing about was not filed.
func TestADeliveryWithoutAnAnswerIsHandedOverByItself(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Payments.File = func(*paymentsv1.FileWebhooksRequest) []string { return nil }
	gw.peers.Payments.Webhook = func(*paymentsv1.ReceiveWebhookRequest) (string, error) {
		return "", apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "x")
	}
	gw.do(t, "POST", "/webhooks/stripe", "{}").wants(t, 503, "STRIPE_UNREACHABLE")
}

// A signature that no call can carry is a bad one, and nobody else's delivery
// hears of it.
func TestASignatureThatCannotBeCarriedIsRefusedAlone(t *testing.T) {
	gw := start(t, nil)
	const n = 40
	bad := map[int]string{5: "t=1,v1=\xff\xfe", 15: strings.Repeat("v1=00,", 1000), 25: strings.Repeat("\xe2\x82\xac", 3000)}
	refused := apperr.New(codes.InvalidArgument, "INVALID_SIGNATURE", "x")
	gw.peers.Payments.Webhook = func(r *paymentsv1.ReceiveWebhookRequest) (string, error) {
		if r.GetSignature() == "" {
			return "", refused
		}
		return "PROCESSED", nil
	}
	for range 3 { // so that some of them share a call, whoever comes first
		arrived, release := make(chan struct{}, n), make(chan struct{})
		gw.peers.Payments.File = func(r *paymentsv1.FileWebhooksRequest) []string {
			arrived <- struct{}{}
			<-release
			var statuses []string
			for _, d := range r.GetDeliveries() {
				status := ""
				if d.GetSignature() != "" {
					status = "IGNORED"
				}
				statuses = append(statuses, status)
			}
			return statuses
		}
		var done sync.WaitGroup
		for i := range n {
			done.Go(func() {
				signature := "t=1,v1=00"
				if bad[i] != "" {
					signature = bad[i]
				}
				a := gw.do(t, "POST", "/webhooks/stripe", strconv.Itoa(i), "Stripe-Signature", signature)
				switch {
				case bad[i] != "":
					a.wants(t, 400, "INVALID_SIGNATURE")
				case a.status != 200:
					t.Errorf("delivery %d, beside a bad one: %d %s", i, a.status, a.body)
				}
			})
		}
		<-arrived
		close(release)
		done.Wait()
	}
}

func TestAWebhookMayHaveOneMebibyte(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Payments.Webhook = func(r *paymentsv1.ReceiveWebhookRequest) (string, error) { return "IGNORED", nil }
	body := bytes.Repeat([]byte{'x'}, 1<<20)
	if a := gw.send(t, "POST", "/webhooks/stripe", bytes.NewReader(body)); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	gw.send(t, "POST", "/webhooks/stripe", bytes.NewReader(append(body, 'x'))).wants(t, 413, "BODY_TOO_LARGE")
	gw.send(t, "POST", "/webhooks/stripe", chunked{bytes.NewReader(append(body, 'x'))}).wants(t, 413, "BODY_TOO_LARGE")
}

func TestReadyIsWhetherAnOrderCanBePlaced(t *testing.T) {
	gw := start(t, nil)
	ready := func() (int, map[string]string) {
		a := gw.do(t, "GET", "/readyz", "")
		var got struct {
			Ready    bool
			Services map[string]string
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Ready != (a.status == 200) || len(got.Services) != 5 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return a.status, got.Services
	}
	// A peer tells its health a moment after it began to serve.
	deadline := time.Now().Add(5 * time.Second)
	for status, services := ready(); status != 200 || services["notifications"] != "SERVING"; status, services = ready() {
		if time.Now().After(deadline) {
			t.Fatalf("never ready: %v", services)
		}
		time.Sleep(10 * time.Millisecond)
	}
	gw.net.Stop("notifications")
	gw.net.Stop("reconciliation")
	if status, services := ready(); status != 200 || services["notifications"] != "UNREACHABLE" {
		t.Errorf("without notifications: %d %v", status, services)
	}
	gw.net.Stop("provisioning")
	if status, services := ready(); status != 503 || services["provisioning"] != "UNREACHABLE" || services["orders"] != "SERVING" {
		t.Errorf("without provisioning: %d %v", status, services)
	}
	for _, method := range []string{"GET", "HEAD"} {
		if a := gw.do(t, method, "/healthz", ""); a.status != 200 {
			t.Errorf("%s /healthz: %d", method, a.status)
		}
	}
}

func TestWhatABrowserAndAToolMayRead(t *testing.T) {
	gw := start(t, nil)
	if a := gw.do(t, "GET", "/v1/config", ""); strings.TrimSpace(a.body) != `{"app_name":"Acme","publishable_key":"pk_test_example","support_email":"support@example.com"}` {
		t.Errorf("%s", a.body)
	}
	if a := gw.do(t, "GET", "/v1/plans", ""); a.status != 200 || !strings.Contains(a.body, `"term_months"`) || !strings.Contains(a.body, `"24900"`) || !strings.Contains(strings.ReplaceAll(a.body, " ", ""), `"renews":true`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	a := gw.do(t, "GET", "/openapi.json", "")
	var doc struct {
		Info  struct{ Title string }
		Paths map[string]any
	}
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Info.Title != "Acme" || doc.Paths["/v1/orders"] == nil || doc.Paths["/admin/v1/cases"] != nil {
		t.Errorf("%v", doc)
	}
	docs := gw.do(t, "GET", "/docs", "")
	if docs.status != 200 || !strings.Contains(docs.body, "<code>/v1/orders/{reference}:pay</code>") || !strings.Contains(docs.body, "<code>/v1/orders/{reference}/events</code>") || strings.Contains(docs.body, "/admin/") {
		t.Errorf("%d %s", docs.status, docs.body)
	}
}

func TestOnlyNamedSitesMayCallFromABrowser(t *testing.T) {
	gw := start(t, map[string]string{"ALLOWED_ORIGINS": "https://app.example.com"})
	gw.peers.Orders.AnswerWith(&ordersv1.Order{}, nil)
	preflight := func(origin string) answer {
		return gw.do(t, "OPTIONS", "/v1/orders", "", "Origin", origin, "Access-Control-Request-Method", "POST")
	}
	a := preflight("https://app.example.com")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Idempotency-Key") {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := preflight("https://evil.example.com"); a.status != 405 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := gw.place(t, "Origin", "https://app.example.com"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := gw.do(t, "GET", "/payment-issue", "", "Origin", "https://app.example.com"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", a.header)
	}
}

func TestEveryBadSettingIsListed(t *testing.T) {
	settings := map[string]string{
		"HTTP_ADDR": "nonsense", "ADMIN_ADDR": "0.0.0.0:8081", "SUPPORT_EMAIL": "not an address",
		"APP_URL": "ftp://x", "CHECKOUT_URL": "nowhere", "TRUSTED_PROXIES": "10.0.0.0/8,everyone", "ALLOWED_ORIGINS": "https://a.example.com/path",
	}
	_, err := gateway.LoadConfig(func(k string) (string, bool) { v, ok := settings[k]; return v, ok })
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"HTTP_ADDR", "ADMIN_ADDR", "SUPPORT_EMAIL", "APP_URL", "CHECKOUT_URL", "TRUSTED_PROXIES", "ALLOWED_ORIGINS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named: %v", want, err)
		}
	}
	cfg, err := gateway.LoadConfig(func(string) (string, bool) { return "", false })
	if err != nil || cfg.HTTPAddr != "127.0.0.1:8080" || cfg.HomeURL != "/" || cfg.CheckoutURL != "/" || cfg.RefundDays == "" || cfg.OrdersAddr != "127.0.0.1:9101" {
		t.Errorf("%v %+v", err, cfg)
	}
	settings = map[string]string{"ADMIN_ADDR": "0.0.0.0:8081", "ADMIN_ALLOW_PLAIN": "true"}
	cfg, err = gateway.LoadConfig(func(k string) (string, bool) { v, ok := settings[k]; return v, ok })
	if err != nil || cfg.AdminAddr != "0.0.0.0:8081" {
		t.Errorf("%v, the admin listener is at %s", err, cfg.AdminAddr)
	}
}
