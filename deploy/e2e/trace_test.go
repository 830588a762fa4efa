package e2e

import (
	"bufio"
	"encoding/json"
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
	s := open(t, append(received.Settings, killing...)...)
	s.pauseWebhooks(t, true)

	b := s.buyer("traced")
	header := b.key()
	header["Traceparent"] = browserParent
	paid := b.call(t, "POST", "/v1/orders", header, b.request(card))
	b.judgeFulfilled(t, outcome{})
	purchase := awaitTrace(t, received, browserTrace, "notifications: MarkSent")
	t.Logf("a purchase:\n%s", collector.Tree(purchase))
	for _, want := range []struct{ below, span string }{
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
	} {
		if !isBelow(purchase, want.below, want.span) {
			t.Errorf("no %q below %q", want.span, want.below)
		}
	}
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
	lost := awaitTrace(t, received, rescue[0].Links[0], "gateway: POST /v1/orders")
	whole := awaitTrace(t, received, rescue[0].Trace, "notifications: MarkSent")
	t.Logf("a purchase that was cut off:\n%s\nand its rescue:\n%s", collector.Tree(lost), collector.Tree(whole))
	edge := find(lost, "gateway: POST /v1/orders")
	if want := strings.ToUpper(killed.reference[:8]); edge.Attributes["reference_short"] != want || !edge.Failed {
		t.Errorf("the rescue links to a trace of another purchase: %+v", edge)
	}
	if isBelow(lost, "", "notifications: smtp send") || !isBelow(whole, "orders: orders that are due", "notifications: smtp send") {
		t.Error("the mail is not the rescue's")
	}
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

// isBelow says whether a span belongs, at whatever distance, to another.
func isBelow(spans []collector.Span, above, below string) bool {
	return slices.ContainsFunc(spans, func(s collector.Span) bool {
		if named(s) != below {
			return false
		}
		for at := s.Parent; above != ""; {
			i := slices.IndexFunc(spans, func(p collector.Span) bool { return p.ID == at })
			if i < 0 {
				return false
			}
			if named(spans[i]) == above {
				break
			}
			at = spans[i].Parent
		}
		return true
	})
}

func awaitTrace(t *testing.T, c *collector.Collector, trace, last string) (spans []collector.Span) {
	t.Helper()
	await(t, last+" in trace "+trace, func() bool {
		spans = c.Of(trace)
		return find(spans, last) != nil
	})
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
