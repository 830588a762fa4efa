package orders_test

import (
	"testing"

	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/metricstest"
)

func TestReadingsCostTheSameWhateverIsStored(t *testing.T) {
	s := newScene(t)
	s.mustPlace(purchase{}, complete)
	metricstest.WantIndexed(t, s.owner, "orders.orders", `jsonb_build_object(
		'id', gen_random_uuid(), 'reference', gen_random_uuid(), 'charge_id', 'ch_' || n, 'payment_intent_id', 'pi_' || n)`, store.Readings)
}
