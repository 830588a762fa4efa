package module_test

import (
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"makegood.example/gateway/internal/pages"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/browsertest"
)

type oneOrder struct{ *ordersv1.Order }

func (o oneOrder) GetOrder(context.Context, *ordersv1.GetOrderRequest, ...grpc.CallOption) (*ordersv1.Order, error) {
	return o.Order, nil
}

func (o oneOrder) RefundOrder(context.Context, *ordersv1.RefundOrderRequest, ...grpc.CallOption) (*ordersv1.Order, error) {
	return o.Order, nil
}

var titleAndLead = regexp.MustCompile(`(?s)<h1[^>]*>(.*?)</h1>\s*<p class="lead"[^>]*>(.*?)</p>`)

// testNamedTimes: a time that was named is owned when it was missed, and when it passes
// while nobody answers, nobody says that it was or was not kept.
func testNamedTimes(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	charged := func(promise string) func(http.ResponseWriter, string, *http.Request) {
		return func(w http.ResponseWriter, _ string, r *http.Request) {
			order(w, r, http.StatusOK, "CHARGED", "WAIT", `,"promise":`+promise)
		}
	}
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	e.says(charged(`{"by":"` + later + `","missed_by":null,"missed_count":0,"refund_offered":false}`))
	p := e.shop(b)
	p.Click("#buy button")
	awaitState(p, "following setting_up")
	p.AwaitText("section", "will be ready by")
	e.says(func(w http.ResponseWriter, _ string, _ *http.Request) { refuse(w, 503, "SERVICE_UNAVAILABLE", "") })
	p.Await("(checkout.lookNow(), checkout.state.stale)") // an answer still on its way would be heard after the time that it names
	p.Eval("(() => { window.now = Date.now; Date.now = () => now() + 2 * 3600e3; })()", nil)
	p.Await("(checkout.lookNow(), deep('section').innerText.includes('cannot see from here whether it was kept'))")
	if said := p.Text("section"); strings.Contains(said, "was not ready") || strings.Contains(said, "will be ready") || !strings.Contains(said, "Your payment arrived") {
		t.Errorf("without an answer the panel says %q", said)
	}
	p.Eval("(() => { Date.now = now; })()", nil)
	e.says(charged(`{"by":"` + later + `","missed_by":"2026-11-22T12:00:00Z","missed_count":1,"refund_offered":true}`))
	p.Await("(checkout.lookNow(), " + phase + " === 'following setting_up_late')")
	if said := p.Text("section"); !strings.Contains(said, "We had said ") || !strings.Contains(said, "It will be ready by ") || !strings.Contains(said, "full refund") {
		t.Errorf("after a missed promise the panel says %q", said)
	}
}

// testSameWords: what makegood.js draws says what the edge's page says of the
// same order.
func testSameWords(t *testing.T, b *browsertest.Browser) {
	e := startEdge(t)
	e.says(complete)
	p := e.shop(b)
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(d)) }
	wait := &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT}
	none := &ordersv1.NextAction{Type: ordersv1.NextAction_NONE}
	soon, passed := &ordersv1.Promise{By: at(time.Hour)}, &ordersv1.Promise{By: at(-time.Hour)}
	again := &ordersv1.Promise{By: at(time.Hour), MissedCount: 1, RefundOffered: true}
	for _, o := range []*ordersv1.Order{
		{State: ordersv1.Order_PENDING, NextAction: wait},
		{State: ordersv1.Order_PENDING, NextAction: wait, Promise: passed},
		{State: ordersv1.Order_PENDING, NextAction: wait, PaymentError: &ordersv1.PaymentError{Code: "wrong_amount"}},
		{State: ordersv1.Order_CHARGED, NextAction: wait, Promise: soon, AmountMinor: 1, ChargedAt: at(0)},
		{State: ordersv1.Order_CHARGED, NextAction: wait, Promise: again, AmountMinor: 1, ChargedAt: at(0)},
		{State: ordersv1.Order_CHARGED, NextAction: wait, Promise: soon},
		{State: ordersv1.Order_ORPHANED, NextAction: wait, AmountMinor: 1},
		{State: ordersv1.Order_CHARGED, NextAction: wait, Kind: ordersv1.Order_RENEWAL, AmountMinor: 1},
		{State: ordersv1.Order_COMPLETE, NextAction: none, AmountMinor: 1, ChargedAt: at(0), AccessUntil: at(time.Hour)},
		{State: ordersv1.Order_COMPLETE, NextAction: none},
		{State: ordersv1.Order_RECOVERED, NextAction: none, AmountMinor: 1},
		{State: ordersv1.Order_COMPLETE, NextAction: none, AmountMinor: 1, AccessUntil: at(-time.Hour)},
		{State: ordersv1.Order_COMPLETE, NextAction: none, AmountMinor: 1, Kind: ordersv1.Order_RENEWAL},
		{State: ordersv1.Order_REFUNDED, NextAction: none, AmountMinor: 1},
	} {
		reference := uuid.NewString()
		o.Reference, o.EmailMasked, o.AmountDisplay = reference, "j***@example.com", "$249.00"
		body, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		pages.NewStatus(pages.Config{AppName: "Shop", HomeURL: "/", SupportEmail: "help@example.com", RefundDays: refundDays, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
			oneOrder{o}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/payment-issue?ref="+reference, nil))
		found := titleAndLead.FindStringSubmatch(w.Body.String())
		if found == nil {
			t.Fatalf("the edge's page: %s", w.Body)
		}
		e.says(func(w http.ResponseWriter, _ string, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		})
		p.Eval(`(async () => { checkout.close(); localStorage.clear();
			localStorage.setItem("makegood:" + location.origin + ":annual", JSON.stringify({ reference: "`+reference+`", sent: Date.now() }));
			window.checkout = new checkout.constructor({ plan: "annual" }); await checkout.ready; })()`, nil)
		var said string
		p.Eval("checkout.state.words.title + '|' + checkout.state.words.lead", &said)
		want := html.UnescapeString(regexp.MustCompile("<[^>]+>").ReplaceAllString(found[1]+"|"+found[2], ""))
		if said != want {
			t.Errorf("%s\nthe module says %q\nthe page says   %q", protojson.Format(o), said, want)
		}
		for _, hole := range []string{"{", "undefined", "null"} {
			if strings.Contains(said, hole) {
				t.Errorf("a hole in %q", said)
			}
		}
	}
}
