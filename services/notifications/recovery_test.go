package notifications_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/notifications"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
)

// What kill -9 leaves between the mail server's acceptance and our record: a
// message SENDING and a job running under this instance's name.
func TestAKilledDeliveryIsTakenBackAtStart(t *testing.T) {
	w := newWorld(t)
	first := w.send(key, confirmation)
	w.untilState(key, "SENT")
	w.untilIdle()
	w.stop()
	for _, sql := range []string{
		`UPDATE notifications.messages SET state = 'SENDING', sent_at = NULL, recipient = NULL`,
		`UPDATE notifications.river_job SET state = 'running', finalized_at = NULL, attempted_at = now()`,
	} {
		if _, err := w.owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	w.start()
	w.untilState(key, "SENT")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the restarted service took %s", took)
	}
	got := w.mails(2)
	if id := "<" + first.GetMessageId() + ">"; got[0].header("Message-ID") != id || got[1].header("Message-ID") != id {
		t.Errorf("Message-IDs: %s, %s", got[0].header("Message-ID"), got[1].header("Message-ID"))
	}
}

// Two jobs of one message, as after a job that was thought dead: both have read it before
// either sends.
func TestOfTwoWorkersWithOneMessageOneSends(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.ordersDown = true })
	w.send(key, confirmation)
	w.until("a first failure", func() bool { return w.row(key).LastError != "" })
	if _, err := w.owner.Exec(t.Context(), `INSERT INTO notifications.river_job (args, kind, max_attempts, metadata, priority, queue, state, scheduled_at, tags)
		SELECT args, kind, max_attempts, metadata, priority, queue, 'retryable', now(), tags FROM notifications.river_job`); err != nil {
		t.Fatal(err)
	}
	w.until("both jobs to wait", func() bool {
		var n int
		if err := w.owner.QueryRow(t.Context(), `SELECT count(*) FROM notifications.river_job WHERE state = 'retryable'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 2
	})
	held := make(chan struct{})
	w.peers.set(func(p *peers) { p.ordersDown, p.held = false, held })
	w.hurry()
	w.until("both to have read it", func() bool {
		n := 0
		w.peers.set(func(p *peers) { n = p.waiting })
		return n == 2
	})
	w.peers.set(func(p *peers) { p.held = nil })
	close(held)
	w.untilState(key, "SENT")
	w.until("the other to give way", func() bool { return strings.Contains(w.log.String(), "another worker is sending this message") })
	w.hurry()
	w.untilIdle()
	w.mails(1)
}

func TestAMessageIsGivenUpAfterDays(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.ordersDown = true })
	w.send(key, confirmation)
	w.until("a first failure", func() bool { return w.row(key).LastError != "" })
	w.later.Store(int64(73 * time.Hour))
	w.hurry()
	if r := w.untilState(key, "FAILED"); !strings.Contains(r.LastError, "given up after 72 hours: orders cannot be asked: Unavailable") {
		t.Errorf("row: %+v", r)
	}
	w.peers.mu.Lock()
	defer w.peers.mu.Unlock()
	if len(w.peers.cases) != 1 {
		t.Errorf("%d cases", len(w.peers.cases))
	}
}

func TestAnAddressNobodyCanWriteToOpensACase(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.order.Email = "jane@example.com\r\nBcc: eve@example.com" })
	long := strings.Repeat("k", 200)
	w.send(long, confirmation)
	w.untilState(long, "FAILED")
	w.mails(0)
	w.peers.mu.Lock()
	defer w.peers.mu.Unlock()
	if len(w.peers.cases) != 1 || len(w.peers.cases[0].GetSubject()) > 200 || strings.Contains(w.peers.cases[0].GetSummary(), "jane") {
		t.Errorf("cases: %v", w.peers.cases)
	}
}

func TestHostileNamesReachNoHeader(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.order.Name = "Jane\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>" })
	w.send(key, confirmation)
	w.untilState(key, "SENT")
	got := w.mails(1)[0]
	if got.header("Bcc") != "" || !strings.Contains(got.text, "\nHello,\n") || strings.Contains(got.html, "<script>") {
		t.Errorf("%v\n%s", got.headers, got.text)
	}
}

func TestAccess(t *testing.T) {
	w := newWorld(t)
	w.send(key, confirmation)
	w.untilState(key, "SENT")
	as := func(caller string) notificationsv1.NotificationsServiceClient {
		conn, err := grpcclient.Dial("notifications", caller, w.dialOwn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return notificationsv1.NewNotificationsServiceClient(conn)
	}
	list := &notificationsv1.ListMessagesRequest{OrderId: orderID.String()}
	viewer := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+viewerToken)

	got, err := as("gateway").ListMessages(viewer, list)
	if err != nil || len(got.GetMessages()) != 1 || got.GetMessages()[0].GetState() != notificationsv1.Message_SENT || got.GetMessages()[0].GetSentAt() == nil {
		t.Errorf("a viewer gets %v, %v", got, err)
	}
	if _, err := as("orders").ListMessages(t.Context(), list); apperr.CodeOf(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
	for _, c := range []context.Context{t.Context(), viewer} {
		_, err := as("payments").SendMessage(c, &notificationsv1.SendMessageRequest{DedupeKey: "k", Kind: confirmation, OrderId: orderID.String()})
		if code := apperr.CodeOf(err); code != codes.PermissionDenied {
			t.Errorf("payments sends a message: %v", err)
		}
		_, err = as("gateway").CheckRecipient(c, &notificationsv1.CheckRecipientRequest{Email: "jane@example.com"})
		if code := apperr.CodeOf(err); code != codes.PermissionDenied {
			t.Errorf("the gateway checks a recipient: %v", err)
		}
	}
}

func TestCheckRecipient(t *testing.T) {
	w := newWorld(t)
	check := func(email string) error {
		_, err := w.client.CheckRecipient(t.Context(), &notificationsv1.CheckRecipientRequest{Email: email}, grpc.WaitForReady(true))
		return err
	}
	if err := check("Jane.O'Example+tag@Mail.Example.com"); err != nil {
		t.Error(err)
	}
	err := check("jane@example")
	if e := apperr.Of(err); e == nil || e.Code != codes.InvalidArgument || e.Reason != message.ErrUndeliverable.Reason || len(e.Violations) != 1 || e.Violations[0].Field != "email" {
		t.Errorf("got %#v", err)
	}
}

func TestSettings(t *testing.T) {
	_, err := notifications.LoadConfig(func(key string) (string, bool) {
		v, ok := map[string]string{
			"SMTP_URL": "http://user:hunter2@mail.example.com", "SUPPORT_EMAIL": "nobody", "MAIL_FROM": "nobody", "APP_NAME": "a\nb",
			"APP_URL": "app", "NOTIFICATIONS_GRPC_LISTEN": "0.0.0.0:9104",
		}[key]
		return v, ok
	})
	if err == nil {
		t.Fatal("bad settings are accepted")
	}
	for _, want := range []string{"SMTP_URL", "SUPPORT_EMAIL", "MAIL_FROM", "APP_NAME", "APP_URL", "NOTIFICATIONS_GRPC_LISTEN", "NOTIFICATIONS_DATABASE_URL"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not among the problems: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the password is quoted")
	}
}
