package reconciliation_test

import (
	"testing"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/metricstest"
	"makegood.example/services/reconciliation/internal/store"
)

func TestReadingsCostTheSameWhateverIsStored(t *testing.T) {
	s := newScene(t)
	s.world.order(orderID(1), ordersv1.Order_COMPLETE, s.world.charge("ch_one", s.clock.Now().Add(-time.Hour), orderID(1)))
	s.wantRun(s.startRun(s.instance(nil)), pb.Run_SUCCEEDED)
	metricstest.WantIndexed(t, s.owner, "reconciliation.charge_dispositions",
		`jsonb_build_object('charge_id', 'ch_' || n, 'read_again_at', NULL, 'created_at', one.created_at - n * interval '1 minute')`, store.Readings)
}
