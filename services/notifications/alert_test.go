package notifications_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/grpcclient"
)

// with restarts the service with more settings.
func (w *world) with(settings map[string]string) {
	w.t.Helper()
	w.stop()
	w.settings = settings
	w.start()
}

func (w *world) asReconciliation() notificationsv1.NotificationsServiceClient {
	w.t.Helper()
	conn, err := grpcclient.Dial("notifications", "reconciliation", w.dialOwn)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return notificationsv1.NewNotificationsServiceClient(conn)
}

// unfolded undoes the breaking of long lines.
var unfolded = strings.NewReplacer("=\r\n", "", "\r\n ", " ")

// mailsWith are the mails that contain a text.
func (w *world) mailsWith(text string) (n int) {
	for _, m := range w.mail.mails() {
		if strings.Contains(unfolded.Replace(m), text) {
			n++
		}
	}
	return n
}

func TestMessagesAreFoundByThePage(t *testing.T) {
	w := newWorld(t)
	w.send("order/1/confirmation", notificationsv1.Message_CONFIRMATION)
	w.send("order/1/refund/5", notificationsv1.Message_REFUND)
	w.untilState("order/1/confirmation", "SENT")
	got, err := w.asReconciliation().FindMessages(t.Context(), &notificationsv1.FindMessagesRequest{
		DedupeKeys: []string{"order/1/confirmation", "order/1/refund/5", "order/2/confirmation"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range got.GetMessages() {
		keys = append(keys, m.GetDedupeKey())
		if m.GetKind() == notificationsv1.Message_CONFIRMATION && (m.GetState() != notificationsv1.Message_SENT || m.GetSentAt() == nil) {
			t.Errorf("found %v", m)
		}
	}
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"order/1/confirmation", "order/1/refund/5"}) || got.GetMailServerFailingSince() != nil {
		t.Errorf("found %v", got)
	}
}

// watched is a world in which Notifications watches over runs every two minutes.
type watched struct {
	*world
	runs int64
}

func newWatched(t *testing.T) *watched {
	w := &watched{world: newWorld(t)}
	w.with(map[string]string{"ALERT_EMAILS": "ops@example.com", "RECONCILE_EVERY": "2m"})
	w.until("the first look", func() bool { return w.lookedAt() != nil })
	return w
}

// ran adds a run, now.
func (w *watched) ran(status reconciliationv1.Run_Status, change ...func(*reconciliationv1.Run)) {
	w.runs++
	r := &reconciliationv1.Run{Id: w.runs, Status: status, FinishedAt: timestamppb.New(w.now())}
	for _, do := range change {
		do(r)
	}
	w.peers.set(func(p *peers) { p.runs = append([]*reconciliationv1.Run{r}, p.runs...) })
}

func (w *watched) lookedAt() (at *time.Time) {
	w.t.Helper()
	if err := w.owner.QueryRow(w.t.Context(), `SELECT looked_at FROM notifications.watch`).Scan(&at); err != nil {
		w.t.Fatal(err)
	}
	return at
}

// pass lets minutes go by, each with a look.
func (w *watched) pass(minutes int, each ...func()) {
	w.t.Helper()
	for range minutes {
		for _, do := range each {
			do()
		}
		before := *w.lookedAt()
		w.later.Add(int64(time.Minute))
		w.until("a look", func() bool { return w.lookedAt().Sub(before) > 30*time.Second })
	}
}

func (w *watched) wantMails(n int) {
	w.t.Helper()
	if got := len(w.mail.mails()); got != n {
		w.t.Errorf("%d mails, want %d", got, n)
	}
}

func TestTheTeamIsToldWhenReconciliationStopsAndWhenItWorksAgain(t *testing.T) {
	w := newWatched(t)
	w.ran(reconciliationv1.Run_SUCCEEDED)
	w.pass(4)
	w.peers.set(func(p *peers) { p.reconciliationDown = true })
	w.pass(1)
	w.wantMails(0)
	w.pass(5)
	w.until("the word that it stopped", func() bool { return w.mailsWith("Now: Reconciliation has stopped") == 1 })
	w.with(w.settings) // a restart forgets nothing
	w.peers.set(func(p *peers) { p.reconciliationDown = false })
	w.ran(reconciliationv1.Run_FAILED, func(r *reconciliationv1.Run) { r.CutShort = true })
	w.pass(8) // a run that was killed did not come to its end
	w.wantMails(1)
	w.ran(reconciliationv1.Run_SUCCEEDED)
	w.pass(2)
	w.until("the word that it works", func() bool { return w.mailsWith("Over: Reconciliation has stopped") == 1 })
	w.wantMails(2)
}

// Stripe is away: the net still runs, and is not said to have stopped.
func TestTheTeamIsToldThatRunsFailAndNotThatTheyStopped(t *testing.T) {
	w := newWatched(t)
	fails := func() {
		w.ran(reconciliationv1.Run_FAILED, func(r *reconciliationv1.Run) {
			r.Details = []string{"charges from 2026-01-02 on cannot all be read: Stripe cannot be reached at the moment"}
		})
	}
	w.ran(reconciliationv1.Run_SUCCEEDED)
	w.pass(12, fails)
	w.until("the word that runs fail", func() bool { return w.mailsWith("Today: Reconciliation runs, but does not succeed") == 1 })
	if w.mailsWith("Stripe cannot be reached") != 1 || w.mailsWith("has stopped") != 0 {
		t.Errorf("the mail says:\n%s", w.mail.mails()[0])
	}
	w.wantMails(1)
	// Now the process dies, too: that is another word, and does not take the first back.
	w.pass(8)
	w.until("the word that it stopped", func() bool { return w.mailsWith("Now: Reconciliation has stopped") == 1 })
	w.pass(2, fails)
	w.until("the word that it runs", func() bool { return w.mailsWith("Over: Reconciliation has stopped") == 1 })
	w.wantMails(3)
	w.ran(reconciliationv1.Run_SUCCEEDED)
	w.pass(2)
	w.until("the word that it succeeds", func() bool { return w.mailsWith("Over: Reconciliation runs, but does not succeed") == 1 })
	w.wantMails(4)
}
