package notifications_test

import (
	"testing"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/notifications/internal/store"
	"makegood.example/services/platform/metricstest"
)

func TestReadingsCostTheSameWhateverIsStored(t *testing.T) {
	w := newWorld(t)
	w.send("order/1/confirmation", notificationsv1.Message_CONFIRMATION)
	w.untilState("order/1/confirmation", "SENT")
	metricstest.WantIndexed(t, w.owner, "notifications.messages", `jsonb_build_object(
		'id', gen_random_uuid(), 'dedupe_key', 'order/' || n || '/copy', 'message_id', n || '@example.com')`, store.Readings)
}
