package e2e

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"makegood.example/services/platform/metricstest"
)

// TestMetrics is one address that tells of every process, while one of them is
// killed too, and nothing that docs/metrics.md does not explain.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := open(t, "METRICS_ADDR=127.0.0.1:9090", "RECONCILE_EVERY=1s")
	addr := s.Env("METRICS_ADDR")
	told, err := os.ReadFile(filepath.Join(s.Dir(), "run", "env"))
	if err != nil || !strings.Contains(string(told), "METRICS_ADDR="+addr+"\n") {
		t.Errorf("run/env lacks the address (%v):\n%s", err, told)
	}
	b := s.buyer("metrics")
	b.pays(t, card)
	b.judgeFulfilled(t, outcome{})
	s.awaitDeliveries(t)

	processes := []string{"orders", "payments", "provisioning", "notifications", "reconciliation", "gateway"}
	now := metricstest.Scrape(t, addr)
	for _, name := range processes {
		now.Want(t, 1, "makegood_process_up", "service", name)
		if _, ok := now.Value("process_start_time_seconds", "service", name); !ok {
			t.Errorf("%s tells nothing of itself", name)
		}
	}
	now.Want(t, 1, "makegood_rpc_server_calls_total", "service", "orders", "method", "orders.v1.OrdersService/PlaceOrder", "code", "OK")
	now.Want(t, 1, "makegood_rpc_client_calls_total", "service", "gateway", "method", "orders.v1.OrdersService/PlaceOrder", "code", "OK")
	now.Want(t, 0, "makegood_readings_failed_total")

	if err := s.Hold("provisioning"); err != nil {
		t.Fatal(err)
	}
	metricstest.Await(t, addr, 0, "makegood_process_up", "service", "provisioning")
	now = metricstest.Scrape(t, addr)
	now.Want(t, 1, "makegood_process_up", "service", "orders")
	s.up(t, "provisioning")
	metricstest.Await(t, addr, 1, "makegood_process_up", "service", "provisioning") // a killed process's socket is taken over

	metricstest.Await(t, addr, 1, "makegood_charges_last_day", "disposition", "MATCHED")
	paid := b.record(t)
	s.foreignCharge(t, "24900", url.Values{
		"customer": {b.atStripe(t).charges[0].Customer}, "metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {paid.ID}, "metadata[reference]": {b.reference},
	}) // a second one, which is a case
	judgeDashboard(t, s)
	checkExplained(t, metricstest.Scrape(t, addr))
}

// checkExplained compares the names with docs/metrics.md.
func checkExplained(t *testing.T, now metricstest.Told) {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(makegood_[a-z_]+)` .*").FindAllStringSubmatch(string(page), -1) {
		explained[row[1]] = true
		if _, told := now[row[1]]; !told && !strings.Contains(row[0], "absent") {
			t.Errorf("docs/metrics.md explains %s, which nothing tells", row[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if strings.HasPrefix(name, "makegood_") && !explained[name] {
			t.Errorf("%s is not explained in docs/metrics.md: %s", name, now[name].GetHelp())
		}
	}
}

// Without METRICS_ADDR nothing more listens than the contract's addresses.
func TestMetricsAreOff(t *testing.T) {
	t.Parallel()
	s := open(t)
	if s.Env("METRICS_ADDR") != "" || s.MetricsURL() != "" {
		t.Errorf("metrics are at %q", s.Env("METRICS_ADDR"))
	}
	if sockets, _ := filepath.Glob(filepath.Join(s.Dir(), "run", "*.metrics")); len(sockets) != 0 {
		t.Errorf("there are %v", sockets)
	}
}
