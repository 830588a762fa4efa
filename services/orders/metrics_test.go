package orders_test

import (
	"testing"
	"time"

	"makegood.example/services/platform/metricstest"
)

// An order is told while it is paid and without access, and then by whom it was
// finished and how long that took.
func TestMetrics(t *testing.T) {
	addr := metricstest.Addr(t)
	s := newScene(t, looksOn, "METRICS_ADDR="+addr)
	s.mustPlace(purchase{}, complete)
	told := metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_orders_completed_total", "by", "request")
	told.Want(t, 1, "makegood_orders_settled_total", "as", "paid")
	told.Want(t, 0, "makegood_orders_settled_total", "as", "declined")
	told.Want(t, 1, "makegood_orders_charge_to_access_seconds")
	told.Want(t, 0, "makegood_orders_not_at_rest")
	told.Want(t, 0, "makegood_readings_failed_total")
	told.Want(t, 0, "makegood_charging_paused")

	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	o := s.mustPlace(purchase{email: "joe@example.com"}, charged)
	s.clock.Advance(20 * time.Second)
	told = metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_orders_not_at_rest", "state", "CHARGED")
	told.Want(t, 1, "makegood_orders_paid_without_access")
	told.Want(t, 20, "makegood_orders_no_progress_seconds", "state", "CHARGED")
	if age, _ := told.Value("makegood_orders_paid_without_access_seconds"); age < 20 || age > 60 {
		t.Errorf("paid without access for %g s", age)
	}

	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.clock.Advance(10 * time.Second)
	s.awaitState(o, recovered)
	metricstest.Await(t, addr, 1, "makegood_orders_completed_total", "by", "rescue")
	s.clock.Advance(10 * time.Second)
	told = metricstest.Scrape(t, addr)
	told.Want(t, 2, "makegood_orders_charge_to_access_seconds")
	told.Want(t, 0, "makegood_orders_paid_without_access")
	told.Want(t, 0, "makegood_orders_paid_without_access_seconds")
	told.Want(t, 0, "makegood_due_rows", "work", "orders")
}
