package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"makegood.example/deploy/internal/collector"
)

// The trace that the shop's own page began in the browser.
const (
	browserTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	browserParent = "00-" + browserTrace + "-00f067aa0ba902b7-00"
)

// TestTraces: one trace shows a purchase from the edge to its mail, through every
// process, with its statements and jobs; and what finishes a purchase whose process was
// killed links to the trace of that purchase.
func TestTraces(t *testing.T) {
	t.Parallel()
	received := collector.Start(t)
	heard := make(chan string, 100) // with which trace each hook came to the app
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.Header.Get("Traceparent") }))
	t.Cleanup(app.Close)
	s := open(t, slices.Concat(received.Settings, killing, []string{"ACCESS_HOOK_URL=" + app.URL, "ACCESS_HOOK_SECRETS=" + hookSecret, "ACCESS_HOOK_ALLOW_PRIVATE=true"})...)
	s.pauseWebhooks(t, true)

	b := s.buyer("traced")
	header := b.key()
	header["Traceparent"] = browserParent
	paid := b.call(t, "POST", "/v1/orders", header, b.request(card))
	b.judgeFulfilled(t, outcome{})
	whole := []place{
		{"notifications: job deliver_message", "notifications: MarkSent"},
		{"", "gateway: POST /v1/orders"},
		{"gateway: POST /v1/orders", "gateway: orders.v1.OrdersService/PlaceOrder"},
		{"gateway: orders.v1.OrdersService/PlaceOrder", "orders: orders.v1.OrdersService/PlaceOrder"},
		{"orders: orders.v1.OrdersService/PlaceOrder", "orders: InsertOrder"},
		{"orders: orders.v1.OrdersService/PlaceOrder", "payments: stripe POST payment_intents"},
		{"orders: orders.v1.OrdersService/PlaceOrder", "provisioning: provisioning.v1.ProvisioningService/GrantAccess"},
		{"orders: orders.v1.OrdersService/PlaceOrder", "orders: job send_message"},
		{"orders: job send_message", "notifications: notifications.v1.NotificationsService/SendMessage"},
		{"notifications: notifications.v1.NotificationsService/SendMessage", "notifications: job deliver_message"},
		{"notifications: job deliver_message", "orders: orders.v1.OrdersAdminService/DescribeOrder"},
		{"notifications: job deliver_message", "notifications: smtp send"},
	}
	purchase := awaitTrace(t, received, browserTrace, whole...)
	t.Logf("a purchase:\n%s", collector.Tree(purchase))
	for _, span := range purchase {
		if span.Failed || len(span.Links) != 0 {
			t.Errorf("%s: %s failed (%q), or links to %v", span.Service, span.Name, span.Status, span.Links)
		}
	}
	placed := find(purchase, "orders: orders.v1.OrdersService/PlaceOrder")
	if placed.Attributes["order_id"] != paid.ID {
		t.Errorf("the order is %q, and not %s", placed.Attributes["order_id"], paid.ID)
	}
	judgeLines(t, s, paid.ID)
	if strings.Contains(received.Raw(), b.reference) {
		t.Error("a span has the reference, with which anybody could read the order's page")
	}

	// The app is told in a trace of its own, which links to the purchase's, and with which
	// the app's own spans can go on.
	var told []string
	await(t, "the app to be told", func() bool {
		select {
		case parent := <-heard:
			told = strings.Split(parent, "-")
		default:
		}
		return told != nil
	})
	if len(told) != 4 {
		t.Fatalf("the hook came with the trace %q", told)
	}
	telling := awaitTrace(t, received, told[1], place{"provisioning: hooks", "provisioning: hook POST"})
	if look, post := find(telling, "provisioning: hooks"), find(telling, "provisioning: hook POST"); !slices.Contains(look.Links, browserTrace) || post.ID != told[2] {
		t.Errorf("the hook came below %s of %s, and its look links to %v:\n%s", told[2], told[1], look.Links, collector.Tree(telling))
	}

	// Orders is killed between Stripe's confirmation and our record of it.
	killed := s.buyer("killed")
	hold := stripe("hang_after", "POST", pathConfirm)(t, s)
	answered := killed.startsToPay(t, card)
	hold.reached(t)
	s.down(t, "orders")
	hold.letGo(t, []string{"orders"})
	<-answered
	killed.waitsForAnApology(t)
	s.up(t, "orders")
	killed.judgeFulfilled(t, apologised)
	var rescue []collector.Span
	await(t, "the trace of the rescue", func() bool {
		rescue = received.Find(func(c collector.Span) bool { return c.Name == "orders that are due" && len(c.Links) != 0 })
		return len(rescue) > 0
	})
	lost := awaitTrace(t, received, rescue[0].Links[0], place{"", "gateway: POST /v1/orders"})
	made := awaitTrace(t, received, rescue[0].Trace, place{"orders: orders that are due", "notifications: notifications.v1.NotificationsService/SendMessage"})
	// The mail is of the rescue's trace, unless Orders, which began a moment ago, did not
	// answer its first attempt: a later one is a trace of its own, which links there.
	await(t, "the mail of the rescue", func() bool {
		attempts := received.Find(func(c collector.Span) bool {
			return named(c) == "notifications: job deliver_message" && (c.Trace == rescue[0].Trace || slices.Contains(c.Links, rescue[0].Trace))
		})
		return slices.ContainsFunc(attempts, func(c collector.Span) bool {
			return isBelow(received.Of(c.Trace), place{"notifications: job deliver_message", "notifications: smtp send"})
		})
	})
	t.Logf("a purchase that was cut off:\n%s\nand its rescue:\n%s", collector.Tree(lost), collector.Tree(made))
	edge := find(lost, "gateway: POST /v1/orders")
	if want := strings.ToUpper(killed.reference[:8]); edge.Attributes["reference_short"] != want || !edge.Failed {
		t.Errorf("the rescue links to a trace of another purchase: %+v", edge)
	}
	if isBelow(received.Of(rescue[0].Links[0]), place{"", "notifications: smtp send"}) {
		t.Error("the mail is of the purchase that was cut off, too")
	}
}

// judgeLink: what recovered the buyer's order did so in a trace of its own, which begins
// with one of these, and links to the trace of the purchase.
func (b *buyer) judgeLink(t *testing.T, c *collector.Collector, by []string) {
	t.Helper()
	short := strings.ToUpper(b.reference[:8])
	var bought, found []collector.Span
	defer func() {
		if t.Failed() {
			t.Logf("%d purchases of %s were traced, and what links to the first is %+v", len(bought), short, found)
		}
	}()
	await(t, "a trace of a recovery that links to the purchase's", func() bool {
		bought = c.Find(func(s collector.Span) bool {
			return named(s) == "gateway: POST /v1/orders" && s.Attributes["reference_short"] == short
		})
		if len(bought) == 0 {
			return false
		}
		found = c.Find(func(s collector.Span) bool { return slices.Contains(s.Links, bought[0].Trace) })
		return slices.ContainsFunc(found, func(s collector.Span) bool {
			return slices.ContainsFunc(c.Of(s.Trace), func(in collector.Span) bool { return in.Parent == "" && slices.Contains(by, named(in)) })
		})
	})
}

func named(s collector.Span) string { return s.Service + ": " + s.Name }

func find(spans []collector.Span, name string) *collector.Span {
	for i, s := range spans {
		if named(s) == name {
			return &spans[i]
		}
	}
	return nil
}

// place is where a span is to be: below another, at whatever distance, or anywhere.
type place struct{ above, span string }

func isBelow(spans []collector.Span, want place) bool {
	return slices.ContainsFunc(spans, func(s collector.Span) bool {
		if named(s) != want.span {
			return false
		}
		for at := s.Parent; want.above != ""; {
			i := slices.IndexFunc(spans, func(p collector.Span) bool { return p.ID == at })
			if i < 0 {
				return false
			}
			if named(spans[i]) == want.above {
				break
			}
			at = spans[i].Parent
		}
		return true
	})
}

// awaitTrace waits until all of these have come: each process sends its spans when it
// likes, and a span after those below it.
func awaitTrace(t *testing.T, c *collector.Collector, trace string, whole ...place) (spans []collector.Span) {
	t.Helper()
	var missing []place
	all := func() bool {
		spans = c.Of(trace)
		missing = slices.DeleteFunc(slices.Clone(whole), func(p place) bool { return isBelow(spans, p) })
		return len(missing) == 0
	}
	defer func() {
		if len(missing) > 0 {
			t.Logf("of trace %s there is no %q in\n%s", trace, missing, collector.Tree(spans))
		}
	}()
	await(t, "the whole trace "+trace, all)
	return spans
}

// judgeLines: the lines of every process about an order join by its id and by the trace.
func judgeLines(t *testing.T, s *shop, orderID string) {
	t.Helper()
	for _, name := range []string{"gateway", "orders", "payments", "provisioning", "notifications"} {
		file, err := os.Open(filepath.Join(s.Dir(), "log", name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		joined := 0
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var line struct {
				Trace string `json:"trace_id"`
				Order string `json:"order_id"`
			}
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Trace == browserTrace && line.Order == orderID {
				joined++
			}
		}
		if joined == 0 {
			t.Errorf("no line of %s has the order and its trace", name)
		}
	}
}
