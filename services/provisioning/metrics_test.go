package provisioning_test

import (
	"testing"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/metricstest"
)

func TestMetrics(t *testing.T) {
	addr := metricstest.Addr(t)
	r := start(t, "METRICS_ADDR", addr)
	told := metricstest.Scrape(t, addr)
	told.Want(t, 0, "makegood_readings_failed_total")
	told.Want(t, 0, "makegood_hooks_undelivered")
	told.Want(t, 0, "makegood_hooks_undelivered_seconds")
	if _, ok := told.Value("makegood_db_connections", "service", "provisioning", "state", "idle"); !ok {
		t.Error("the pool is not told")
	}
	orders := r.as("orders")
	if _, err := orders.GrantAccess(t.Context(), &pb.GrantAccessRequest{}); err == nil {
		t.Fatal("granted nothing to nobody")
	}
	told = metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_rpc_server_calls_total", "method", "provisioning.v1.ProvisioningService/GrantAccess", "code", "InvalidArgument")
	told.Want(t, 1, "makegood_rpc_server_seconds", "method", "provisioning.v1.ProvisioningService/GrantAccess")
}
