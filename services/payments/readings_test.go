package payments_test

import (
	"testing"

	pb "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/platform/metricstest"
)

func TestReadingsCostTheSameWhateverIsStored(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.delivered(body("evt_one", "something.else", false, map[string]any{"id": "x_1", "object": "x"}), "IGNORED")
	metricstest.WantIndexed(t, s.owner, "payments.webhook_events",
		`jsonb_build_object('stripe_event_id', 'evt_' || n, 'received_at', one.received_at - n * interval '1 minute')`, store.Readings)
	metricstest.WantIndexed(t, s.owner, "payments.attempts", `jsonb_build_object('id', gen_random_uuid(), 'seq', n + 1)`, store.Readings)
}
