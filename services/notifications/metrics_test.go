package notifications_test

import (
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/platform/metricstest"
)

// A message is told while it waits, with its age, and counted when it rests.
func TestMetrics(t *testing.T) {
	w := newWorld(t)
	addr := metricstest.Addr(t)
	w.with(map[string]string{"METRICS_ADDR": addr, "RECONCILE_EVERY": "off"})
	told := metricstest.Scrape(t, addr)
	told.Want(t, 0, "makegood_messages_total", "kind", "CONFIRMATION")
	told.Want(t, 0, "makegood_messages_waiting")
	told.Want(t, 0, "makegood_mail_server_failing_seconds")
	told.Want(t, 0, "makegood_deadman_stopped")
	told.Want(t, 0, "makegood_incidents_open", "tier", "PAGE_NOW")
	told.Want(t, 0, "makegood_alert_channels_failing")
	told.Want(t, 0, "makegood_alerts_failing_seconds")
	told.Want(t, 0, "makegood_deadman_late_seconds")
	told.Want(t, 0, "makegood_readings_failed_total")

	w.mail.answer(nil, func(*smtp.Conn, int) error { return &smtp.SMTPError{Code: 451, Message: "later"} })
	w.send("order/1/confirmation", notificationsv1.Message_CONFIRMATION)
	w.until("an attempt failed", func() bool {
		failed, _ := metricstest.Scrape(t, addr).Value("makegood_message_attempts_failed_total")
		return failed > 0
	})
	w.later.Add(int64(time.Minute)) // what was read is remembered for ten seconds
	told = metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_messages_waiting")
	if age, _ := told.Value("makegood_messages_waiting_seconds"); age < 60 {
		t.Errorf("the message has waited %g s", age)
	}
	if jobs, _ := told.Value("makegood_jobs", "state", "discarded"); jobs != 0 {
		t.Errorf("%g jobs were given up", jobs)
	}

	w.mail.answer(nil, nil)
	w.hurry()
	metricstest.Await(t, addr, 1, "makegood_messages_total", "kind", "CONFIRMATION", "state", "SENT")
	w.later.Add(int64(time.Minute))
	told = metricstest.Scrape(t, addr)
	told.Want(t, 0, "makegood_messages_waiting")
	told.Want(t, 1, "makegood_messages_sent_seconds")
}
