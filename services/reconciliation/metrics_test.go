package reconciliation_test

import (
	"testing"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/metricstest"
)

// How the reconciler itself stands, and what it could not explain, is told.
func TestMetrics(t *testing.T) {
	s := newScene(t)
	addr := metricstest.Addr(t)
	dial := s.instance(map[string]string{"METRICS_ADDR": addr})
	told := metricstest.Scrape(t, addr)
	told.Want(t, 0, "makegood_readings_failed_total")
	told.Want(t, 0, "makegood_runs_last_day")
	told.Want(t, 0, "makegood_charges_unexplained")
	told.Want(t, 0, "makegood_cases_unclaimed")
	for _, name := range []string{"makegood_run_finished_seconds", "makegood_run_succeeded_seconds", "makegood_cases_open", "makegood_cursor_behind_seconds"} {
		if v, ok := told.Value(name); ok {
			t.Errorf("before the first run, %s is %g", name, v)
		}
	}

	old := s.clock.Now().Add(-time.Hour).Truncate(time.Second)
	s.world.order(orderID(1), ordersv1.Order_COMPLETE, s.world.charge("ch_matched", old, orderID(1)))
	s.world.charge("ch_nobody", old.Add(time.Minute), orderID(11))
	s.world.set(func() { s.world.missing["ch_nobody"] = "address of its buyer" })
	s.wantRun(s.startRun(dial), pb.Run_SUCCEEDED)
	s.clock.Advance(30 * time.Second)
	s.exec(`INSERT INTO reconciliation.cursors (name, read_before, moved_at) VALUES ('disputes', '2020-01-01', '2020-01-01')`)
	told = metricstest.Scrape(t, addr)
	told.Want(t, 30, "makegood_run_finished_seconds")
	told.Want(t, 30, "makegood_run_succeeded_seconds")
	told.Want(t, 1, "makegood_runs_last_day", "status", "SUCCEEDED")
	told.Want(t, 1, "makegood_charges_last_day", "disposition", "MATCHED")
	told.Want(t, 1, "makegood_charges_unserved")
	if age, _ := told.Value("makegood_charges_unserved_seconds"); int(age) != 30+59*60 { // Stripe's times are whole seconds
		t.Errorf("the oldest unserved charge is %g s old", age)
	}
	told.Want(t, 1, "makegood_cases_unclaimed")
	told.Want(t, 1, "makegood_cases_open")
	told.Want(t, 30, "makegood_cases_open_seconds")
	if behind, ok := told.Value("makegood_cursor_behind_seconds"); !ok || behind < 30 || behind > 30*24*3600 {
		t.Errorf("the cursors are %g s behind (told: %t)", behind, ok)
	}

	hook(s.world, &s.world.onListCharges, func(*paymentsv1.ListChargesRequest) error { return errStripe })
	s.wantRun(s.startRun(dial), pb.Run_FAILED)
	s.clock.Advance(10 * time.Second)
	told = metricstest.Scrape(t, addr)
	told.Want(t, 10, "makegood_run_finished_seconds")
	told.Want(t, 40, "makegood_run_succeeded_seconds")
	told.Want(t, 1, "makegood_runs_last_day", "status", "FAILED")
}
