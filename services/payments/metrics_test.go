package payments_test

import (
	"testing"
	"time"

	pb "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/metricstest"
)

// What becomes of events is told as it happens, and what stands in the ledger
// when somebody asks.
func TestMetrics(t *testing.T) {
	t.Parallel()
	addr := metricstest.Addr(t)
	s := newScene(t, map[string]string{"METRICS_ADDR": addr})
	orderID, customer := s.buyer("jane@example.com", "")
	told := metricstest.Scrape(t, addr)
	told.Want(t, 0, "makegood_ledger_handlings_total")
	told.Want(t, 0, "makegood_ledger_last_hour_events")
	told.Want(t, 0, "makegood_readings_failed_total")
	told.Want(t, 2, "makegood_stripe_requests_total", "object", "payment_intents", "status", "200", "method", "POST") // made and confirmed

	s.wantMethod(bySubscription("order", false, customer, ours("order_id", orderID)), "metadata")
	s.delivered(body("evt_new_kind", "something.never.seen", false, map[string]any{"id": "x_1", "object": "x"}), "IGNORED")
	s.delivered(bySubscription("nobody", false, "", ours()), "ORPHANED")
	_, _ = s.edge.ReceiveWebhook(s.context(), &pb.ReceiveWebhookRequest{Payload: []byte("{}"), Signature: "t=1,v1=00"})

	told = metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_ledger_resolutions_total", "method", "metadata", "livemode", "false")
	told.Want(t, 0, "makegood_ledger_resolutions_total", "livemode", "true")
	told.Want(t, 1, "makegood_ledger_handlings_total", "class", "other", "status", "IGNORED")
	told.Want(t, 1, "makegood_ledger_handlings_total", "class", "subscription", "status", "ORPHANED")
	told.Want(t, 3, "makegood_ledger_attempts_total", "by", "delivery")
	told.Want(t, 0, "makegood_ledger_attempts_total", "by", "retry")
	told.Want(t, 1, "makegood_ledger_refused_total")
	told.Want(t, 1, "makegood_rpc_server_calls_total", "method", "payments.v1.PaymentsService/ReceiveWebhook", "code", "InvalidArgument")

	s.clock.Advance(11 * time.Second) // what was read is remembered for ten
	told = metricstest.Scrape(t, addr)
	told.Want(t, 3, "makegood_ledger_last_hour_events")
	told.Want(t, 1, "makegood_ledger_last_hour_events", "status", "ORPHANED")
	s.clock.Advance(time.Hour)
	metricstest.Scrape(t, addr).Want(t, 0, "makegood_ledger_last_hour_events")
}

// An event that cannot be handled is told while it waits, with its age, and
// counted again when our own retry has handled it.
func TestMetricsOfAnEventThatWaits(t *testing.T) {
	t.Parallel()
	addr := metricstest.Addr(t)
	s := newScene(t, map[string]string{"METRICS_ADDR": addr})
	_, success := s.unrecorded()
	s.orders.set(func() { s.orders.down = true })
	s.notYet(success)
	told := metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_ledger_handlings_total", "class", "payment", "status", "RECEIVED")
	told.Want(t, 1, "makegood_ledger_unfinished", "status", "RECEIVED")
	told.Want(t, 0, "makegood_ledger_unfinished", "status", "FAILED")
	told.Want(t, 0, "makegood_ledger_unfinished", "status", "WAITING")
	s.orders.set(func() { s.orders.down = false })
	s.clock.Advance(time.Minute)
	metricstest.Await(t, addr, 1, "makegood_ledger_attempts_total", "by", "retry")
	metricstest.Await(t, addr, 1, "makegood_ledger_handlings_total", "class", "payment", "status", "PROCESSED")
	s.clock.Advance(time.Minute)
	metricstest.Scrape(t, addr).Want(t, 0, "makegood_ledger_unfinished", "status", "RECEIVED")
}

// Waiting for a page of Stripe's is told apart: nobody need look after it.
func TestTheMetricsTellWhatWaitsForAPage(t *testing.T) {
	t.Parallel()
	addr := metricstest.Addr(t)
	s := newScene(t, map[string]string{"METRICS_ADDR": addr})
	r, _ := s.hosted()
	s.paidTwice(r, &pb.Payment{CustomerId: s.account().Customers[0].ID})
	s.notYet(s.event("payment_intent.succeeded"))
	told := metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_ledger_unfinished", "status", "WAITING")
	told.Want(t, 0, "makegood_ledger_unfinished", "status", "RECEIVED")
}
