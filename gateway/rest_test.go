package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/apperr"
)

func TestAnOrderIsBareAndItsStatusSaysHowItStands(t *testing.T) {
	gw := start(t, nil)
	order := func(state ordersv1.Order_State, next ordersv1.NextAction_Type) *ordersv1.Order {
		return &ordersv1.Order{Reference: reference, State: state, AmountMinor: 24900, NextAction: &ordersv1.NextAction{Type: next}}
	}
	post := []string{"Content-Type", "application/json", "Idempotency-Key", reference}
	payBody := `{"attempt_id":"0b0f7f6e-0000-4000-8000-000000000001","payment_method":"pm_card_visa"}`
	for _, c := range []struct {
		order *ordersv1.Order
		want  int
	}{
		{order(ordersv1.Order_COMPLETE, ordersv1.NextAction_NONE), 200},
		{order(ordersv1.Order_RECOVERED, ordersv1.NextAction_NONE), 200},
		{order(ordersv1.Order_EXPIRED, ordersv1.NextAction_NONE), 200},
		{order(ordersv1.Order_REFUNDED, ordersv1.NextAction_NONE), 200},
		{order(ordersv1.Order_PENDING, ordersv1.NextAction_USE_STRIPE_SDK), 200},
		{order(ordersv1.Order_PENDING, ordersv1.NextAction_REDIRECT), 200},
		{order(ordersv1.Order_PENDING, ordersv1.NextAction_WAIT), 202},
		{order(ordersv1.Order_CHARGED, ordersv1.NextAction_WAIT), 202},
		{order(ordersv1.Order_ORPHANED, ordersv1.NextAction_WAIT), 202},
		{order(ordersv1.Order_FAILED, ordersv1.NextAction_PAY_AGAIN), 402},
	} {
		gw.peers.Orders.AnswerWith(c.order, nil)
		for _, call := range []struct {
			method, path, body string
			want               int
		}{
			{http.MethodPost, "/v1/orders", `{"plan_id":"annual","email":"jane@example.com"}`, c.want},
			{http.MethodPost, "/v1/orders/" + reference + ":pay", payBody, c.want},
			{http.MethodPost, "/v1/orders/" + reference + ":confirm", `{}`, c.want},
			{http.MethodPost, "/v1/orders/" + reference + ":confirm", ``, c.want},
			{http.MethodGet, "/v1/orders/" + reference, ``, 200},
		} {
			a := gw.do(t, call.method, call.path, call.body, post...)
			var got struct {
				State       string
				AmountMinor string  `json:"amount_minor"`
				ChargedAt   *string `json:"charged_at"`
				RecoveredBy string  `json:"recovered_by"`
				NextAction  struct{ Type string }
			}
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			if a.status != call.want || got.State != c.order.GetState().String() || got.AmountMinor != "24900" {
				t.Errorf("%s %s of %s: %d %s, want %d", call.method, call.path, c.order, a.status, a.body, call.want)
			}
			if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers: %v", a.header)
			}
		}
	}
}

func TestATypedErrorOfAServiceShowsAtTheEdge(t *testing.T) {
	gw := start(t, nil)
	for _, c := range []struct {
		err    error
		status int
		code   codes.Code
		reason string
		ref    bool
	}{
		{apperr.New(codes.InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED", "x"), 400, codes.InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED", false},
		{apperr.Invalid("email", "is no address"), 400, codes.InvalidArgument, "INVALID_ARGUMENT", false},
		{apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "x"), 404, codes.NotFound, "ORDER_NOT_FOUND", false},
		{apperr.New(codes.Aborted, "IDEMPOTENCY_KEY_REUSED", "x"), 409, codes.Aborted, "IDEMPOTENCY_KEY_REUSED", false},
		{apperr.New(codes.Aborted, "DUPLICATE_PURCHASE", "x"), 409, codes.Aborted, "DUPLICATE_PURCHASE", false},
		{apperr.New(codes.Aborted, "PAYMENT_IN_PROGRESS", "x"), 409, codes.Aborted, "PAYMENT_IN_PROGRESS", false},
		{apperr.New(codes.ResourceExhausted, "TOO_MANY_ATTEMPTS", "x"), 429, codes.ResourceExhausted, "TOO_MANY_ATTEMPTS", false},
		{apperr.New(codes.Unauthenticated, "UNAUTHENTICATED", "x"), 401, codes.Unauthenticated, "UNAUTHENTICATED", false},
		{apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "x"), 403, codes.PermissionDenied, "PERMISSION_DENIED", false},
		{apperr.New(codes.Unavailable, "CHARGES_PAUSED", "x"), 503, codes.Unavailable, "CHARGES_PAUSED", true},
		{context.DeadlineExceeded, 503, codes.DeadlineExceeded, "SERVICE_UNAVAILABLE", true},
		{context.Canceled, 503, codes.Canceled, "SERVICE_UNAVAILABLE", true},
		{errors.New("password=hunter2"), 500, codes.Internal, "INTERNAL", true},
		{apperr.New(codes.Internal, "SECRET_TROUBLE", "password=hunter2"), 500, codes.Internal, "INTERNAL", true},
	} {
		gw.peers.Orders.AnswerWith(nil, c.err)
		a := gw.place(t)
		p := a.wants(t, c.status, c.reason)
		if p.Code != int(c.code) {
			t.Errorf("%v: code %d, want %d", c.err, p.Code, c.code)
		}
		if got := p.Details[0].Metadata["reference"]; (got == reference) != c.ref {
			t.Errorf("%v: reference %q", c.err, got)
		}
		if strings.Contains(a.body, "hunter2") {
			t.Errorf("leaked: %s", a.body)
		}
		if (a.header.Get("WWW-Authenticate") != "") != (c.status == 401) {
			t.Errorf("%v: WWW-Authenticate %q", c.err, a.header.Get("WWW-Authenticate"))
		}
	}

	gw.peers.Orders.AnswerWith(nil, apperr.New(codes.Aborted, "DUPLICATE_PURCHASE", "You have just bought this.").With("hint", "allow_repeat"))
	p := gw.place(t).wants(t, 409, "DUPLICATE_PURCHASE")
	if p.Message != "You have just bought this." || p.Details[0].Metadata["hint"] != "allow_repeat" {
		t.Errorf("message or metadata lost: %+v", p)
	}
	gw.peers.Orders.AnswerWith(nil, apperr.Invalid("email", "is no address"))
	p = gw.place(t).wants(t, 400, "INVALID_ARGUMENT")
	if len(p.Details) != 2 || p.Details[1].FieldViolations[0].Field != "email" {
		t.Errorf("field violation lost: %+v", p)
	}
}

func TestWhatTheContractForbidsIsRefusedByTheService(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(&ordersv1.Order{}, nil)
	p := gw.do(t, "POST", "/v1/orders", `{"email":"jane@example.com"}`, "Content-Type", "application/json").wants(t, 400, "INVALID_ARGUMENT")
	if p.Details[1].FieldViolations[0].Field != "plan_id" {
		t.Errorf("%+v", p)
	}
	gw.do(t, "GET", "/v1/orders/not-a-uuid", "").wants(t, 400, "INVALID_ARGUMENT")
}

func TestABodyThatIsNotAsAgreedNeverReachesOrders(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(&ordersv1.Order{}, nil)
	large := `{"plan_id":"` + strings.Repeat("a", 64<<10) + `"}`
	for _, c := range []struct {
		name, body, contentType string
		status                  int
		reason, field           string
	}{
		{"too large", large, "application/json", 413, "BODY_TOO_LARGE", ""},
		{"malformed", `{"plan_id":`, "application/json", 400, "INVALID_ARGUMENT", ""},
		{"something after it", `{"plan_id":"annual"} x`, "application/json", 400, "INVALID_ARGUMENT", ""},
		{"no object", `[1]`, "application/json", 400, "INVALID_ARGUMENT", ""},
		{"unknown field", `{"plan_id":"annual","alow_repeat":true}`, "application/json", 400, "INVALID_ARGUMENT", "alow_repeat"},
		{"twice", `{"plan_id":"annual","plan_id":"other"}`, "application/json", 400, "INVALID_ARGUMENT", "plan_id"},
		{"wrong type", `{"plan_id":5}`, "application/json", 400, "INVALID_ARGUMENT", "plan_id"},
		{"unknown enum", `{"checkout":"MAGIC"}`, "application/json", 400, "INVALID_ARGUMENT", "checkout"},
		{"a form", `plan_id=annual`, "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		{"no type", `{}`, "", 415, "UNSUPPORTED_MEDIA_TYPE", ""},
		{"JSON as text", `{}`, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := []string{"Idempotency-Key", reference}
			if c.contentType != "" {
				headers = append(headers, "Content-Type", c.contentType)
			}
			for _, body := range []io.Reader{strings.NewReader(c.body), chunked{strings.NewReader(c.body)}} {
				a := gw.send(t, "POST", "/v1/orders", body, headers...)
				p := a.wants(t, c.status, c.reason)
				if c.field != "" && (len(p.Details) < 2 || p.Details[1].FieldViolations[0].Field != c.field) {
					t.Errorf("the field is not named: %s", a.body)
				}
				if strings.Contains(a.body, "proto:") || strings.Contains(a.body, "MAGIC") || strings.Contains(a.body, "json:") {
					t.Errorf("internals: %s", a.body)
				}
			}
			if gw.peers.Orders.Last().Request != nil {
				t.Error("Orders was asked")
			}
		})
	}
	if a := gw.do(t, "POST", "/v1/orders", `{"plan_id":"annual","email":"jane@example.com"}`, "Content-Type", "application/json; charset=utf-8"); a.status != 200 {
		t.Errorf("with a charset: %d %s", a.status, a.body)
	}
}

// chunked hides a reader's length, so that it is sent in chunks.
type chunked struct{ io.Reader }

func TestNobodyOutsideCanPassForAService(t *testing.T) {
	// A page's trace is gone on with; its wish to be recorded is not passed on.
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	const traced = "00-" + trace + "-00f067aa0ba902b7-01"
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(&ordersv1.Order{}, nil)
	gw.place(t,
		"Grpc-Metadata-Makegood-Caller", "payments",
		"Makegood-Caller", "payments",
		"Grpc-Metadata-Makegood-Client-Ip", "6.6.6.6",
		"Makegood-Client-Ip", "6.6.6.6",
		"X-Forwarded-For", "6.6.6.6",
		"Grpc-Timeout", "1n",
		"Cookie", "session=1",
		"Te", "trailers",
		"Traceparent", traced, "Tracestate", "vendor=1", "Baggage", "email=jane@example.com",
	)
	call := gw.peers.Orders.Last()
	if call.Request == nil {
		t.Fatal("Orders was not asked")
	}
	if got := call.Metadata.Get("makegood-caller"); len(got) != 1 || got[0] != "gateway" {
		t.Errorf("callers %q", got)
	}
	if got := call.Metadata.Get("makegood-client-ip"); len(got) != 1 || got[0] != "127.0.0.1" {
		t.Errorf("client ip %q", got)
	}
	if got := call.Metadata.Get("idempotency-key"); len(got) != 1 || got[0] != reference {
		t.Errorf("key %q", got)
	}
	if got := call.Metadata.Get("traceparent"); len(got) != 1 || !strings.HasPrefix(got[0], "00-"+trace) || got[0] == traced || !strings.HasSuffix(got[0], "-00") {
		t.Errorf("trace %q", got)
	}
	for key := range call.Metadata {
		switch key {
		case "traceparent", "makegood-caller", "makegood-client-ip", "idempotency-key", ":authority", "content-type", "user-agent", "grpc-accept-encoding":
		default:
			t.Errorf("metadata %q passed", key)
		}
	}
	// What Payments may do at Orders has no way in here at all.
	for _, path := range []string{"/orders.v1.OrdersAdminService/AdvanceOrder", "/admin/v1/charging", "/admin/v1/orders/" + reference, "/admin/v1/cases", "/admin/v1/reconciliation/runs"} {
		gw.do(t, "POST", path, `{}`, "Content-Type", "application/json", "Grpc-Metadata-Makegood-Caller", "payments").wants(t, 404, "NOT_FOUND")
	}
}

func TestAForwardedAddressCountsOnlyFromATrustedProxy(t *testing.T) {
	gw := start(t, map[string]string{"TRUSTED_PROXIES": "127.0.0.0/8, 10.0.0.0/8"})
	gw.peers.Orders.AnswerWith(&ordersv1.Order{}, nil)
	gw.place(t, "X-Forwarded-For", "6.6.6.6, 203.0.113.9", "X-Forwarded-For", "10.1.2.3")
	if got := gw.peers.Orders.Last().Metadata.Get("makegood-client-ip"); len(got) != 1 || got[0] != "203.0.113.9" {
		t.Errorf("client ip %q", got)
	}
}

func TestATokenReachesTheService(t *testing.T) {
	gw := start(t, nil)
	path := "/v1/accounts/" + reference + "/access"
	gw.do(t, "GET", path, "").wants(t, 401, "UNAUTHENTICATED")
	gw.do(t, "GET", path, "", "Authorization", "Bearer wrong").wants(t, 401, "UNAUTHENTICATED")
	gw.do(t, "GET", path, "", "Authorization", "Bearer "+supportToken).wants(t, 403, "PERMISSION_DENIED")
	if a := gw.do(t, "GET", path, "", "Authorization", "Bearer "+serviceToken); a.status != 200 || !strings.Contains(a.body, `"active"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if strings.Contains(gw.log.String(), serviceToken) {
		t.Error("a token is in the log")
	}
}

// An answer about access may be kept for a second, and then asked for again without
// its body; a change is seen at once by whoever asks, and nothing else may be kept.
func TestAnAnswerAboutAccessMayBeKept(t *testing.T) {
	gw := start(t, nil)
	now, err := &provisioningv1.CheckAccessResponse{AccountId: reference, Active: true, AccessUntil: timestamppb.New(noon.Add(time.Hour))}, error(nil)
	gw.peers.Provisioning.Access = func() (*provisioningv1.CheckAccessResponse, error) { return now, err }
	ask := func(has ...string) answer {
		headers := []string{"Authorization", "Bearer " + serviceToken}
		for _, one := range has {
			headers = append(headers, "If-None-Match", one)
		}
		return gw.do(t, "GET", "/v1/accounts/"+reference+"/access", "", headers...)
	}
	first := ask()
	etag := first.header.Get("Etag")
	if first.status != 200 || etag == "" || first.header.Get("Cache-Control") != "private, max-age=1, must-revalidate" || first.header.Get("Vary") != "Authorization" {
		t.Fatalf("%d %v", first.status, first.header)
	}
	for _, same := range [][]string{{etag}, {strings.TrimPrefix(etag, "W/")}, {`"other", ` + etag}, {`"other"`, etag}, {"*"}} {
		a := ask(same...)
		if a.status != http.StatusNotModified || a.body != "" || a.header.Get("Etag") != etag || a.header.Get("Cache-Control") != "private, max-age=1, must-revalidate" {
			t.Errorf("with %q: %d %q %v", same, a.status, a.body, a.header)
		}
	}
	for _, change := range []func(){
		func() { now.AccessUntil = timestamppb.New(noon.Add(2 * time.Hour)) },
		func() { now.Active = false },
		func() { now.AccessUntil = nil },
	} {
		change()
		a := ask(etag)
		if a.status != 200 || a.body == "" || a.header.Get("Etag") == etag {
			t.Errorf("%v is answered with %d %q %v", now, a.status, a.body, a.header)
		}
		etag = a.header.Get("Etag")
	}
	err = apperr.New(codes.NotFound, "ACCOUNT_NOT_FOUND", "x")
	if a := ask(etag); a.status != 404 || a.header.Get("Etag") != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := gw.do(t, "GET", "/v1/orders/"+reference, "", "If-None-Match", "*"); a.status == http.StatusNotModified || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("an order: %d %v", a.status, a.header)
	}
}

func TestUnknownAddressesAndMethodsAreJSONToo(t *testing.T) {
	gw := start(t, nil)
	for _, path := range []string{"/", "/nope", "/v1/nope", "/v1//orders", "/../etc/passwd", "/v1/orders/a/b/c"} {
		gw.do(t, "GET", path, "").wants(t, 404, "NOT_FOUND")
	}
	for _, c := range []struct{ method, path, allow string }{
		{"DELETE", "/v1/orders", "POST"},
		{"GET", "/v1/orders", "POST"},
		{"PUT", "/v1/orders/" + reference, "GET"},
		{"GET", "/webhooks/stripe", "POST"},
		{"POST", "/welcome", "GET"},
		{"PUT", "/payment-issue", "GET, POST"},
	} {
		a := gw.do(t, c.method, c.path, "")
		a.wants(t, 405, "METHOD_NOT_ALLOWED")
		if got := a.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s allows %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	gw.do(t, "POST", "/v1/orders/"+reference, "x", "X-HTTP-Method-Override", "GET", "Content-Type", "application/x-www-form-urlencoded").wants(t, 405, "METHOD_NOT_ALLOWED")
}

func TestWhileOrdersIsDownTheAnswerCarriesTheReference(t *testing.T) {
	gw := start(t, nil)
	gw.net.Stop("orders")
	p := gw.place(t).wants(t, 503, "SERVICE_UNAVAILABLE")
	if p.Details[0].Metadata["reference"] != reference || !strings.Contains(p.Message, "not known") {
		t.Errorf("%+v", p)
	}
	for _, a := range []answer{
		gw.do(t, "GET", "/v1/orders/"+reference, ""),
		gw.do(t, "POST", "/v1/orders/"+reference+":confirm", "{}", "Content-Type", "application/json"),
	} {
		if p := a.wants(t, 503, "SERVICE_UNAVAILABLE"); p.Details[0].Metadata["reference"] != reference {
			t.Errorf("%+v", p)
		}
	}
	// A reference that is no UUID is not repeated.
	a := gw.do(t, "GET", "/v1/orders/%3Cscript%3E", "")
	if p := a.wants(t, 503, "SERVICE_UNAVAILABLE"); len(p.Details[0].Metadata) != 0 || strings.Contains(a.body, "script") {
		t.Errorf("%s", a.body)
	}
	line := gw.log.String()
	if !strings.Contains(line, `"reference_short":"5F0C1C1E"`) || strings.Contains(line, reference) || strings.Contains(line, "jane@example.com") {
		t.Errorf("log: %s", line)
	}
}

// cutOff is how long a call is given to end with whoever sent it. That it was not ended by
// then is right; a machine that is busy may take longer to end it, and the test then sees
// less.
const cutOff = 300 * time.Millisecond

// What a buyer or Stripe has begun goes on when they leave, until the server stops.
func TestWhatWasBegunGoesOnWhenItsSenderLeaves(t *testing.T) {
	for path, body := range map[string]string{
		"/v1/orders": `{"plan_id":"annual","email":"jane@example.com"}`,
		// So large that it is handed over by itself.
		"/webhooks/stripe": strings.Repeat("x", 20<<10),
	} {
		t.Run(path, func(t *testing.T) {
			gw := start(t, nil)
			asked, left, finished := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			handle := func(ctx context.Context) {
				close(asked)
				<-left
				select {
				case <-ctx.Done():
				case <-time.After(cutOff):
				}
				// The drain below waits for this call; were it cut off, ctx would have ended.
				gw.stop()
				finished <- ctx.Err()
			}
			gw.peers.Orders.Answer(func(ctx context.Context, _ proto.Message) (*ordersv1.Order, error) {
				handle(ctx)
				return &ordersv1.Order{State: ordersv1.Order_COMPLETE}, nil
			})
			gw.peers.Payments.Handling = handle
			gw.peers.Payments.Webhook = func(*paymentsv1.ReceiveWebhookRequest) (string, error) { return "PROCESSED", nil }
			ctx, leave := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "POST", gw.url+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
					_ = resp.Body.Close()
				}
			}()
			<-asked
			leave()
			<-gone
			close(left)
			if err := <-finished; err != nil {
				t.Errorf("it was cut off: %v", err)
			}
			if err := <-gw.ended; err != nil {
				t.Error(err)
			}
			close(gw.ended)
		})
	}
}

func TestRequestsInHandAreFinishedBeforeTheEnd(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.Answer(func(context.Context, proto.Message) (*ordersv1.Order, error) {
		gw.stop()
		return &ordersv1.Order{State: ordersv1.Order_COMPLETE}, nil
	})
	if a := gw.place(t); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := <-gw.ended; err != nil {
		t.Error(err)
	}
	close(gw.ended)
}
