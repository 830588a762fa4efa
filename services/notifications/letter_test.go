package notifications_test

import (
	"context"
	"errors"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/platform/apperr"
)

const replyText = "Hello Jane Example,\n\nyour access works now: größer than before.\n\nSam Example\nExample App\n"

func reply(key, orderID string) *notificationsv1.SendMessageRequest {
	return &notificationsv1.SendMessageRequest{
		DedupeKey: key, Kind: notificationsv1.Message_SUPPORT_REPLY, OrderId: orderID,
		Letter: &notificationsv1.Letter{To: "jane.wrote@example.com", Subject: "Re: where is my access?", Text: replyText, InReplyTo: "<abc.123@mail.example.com>"},
	}
}

// What a person wrote arrives as they wrote it, in the customer's thread, once; what
// Orders says meanwhile changes nothing.
func TestAReplyArrivesAsItWasWritten(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.ordersDown = true })
	first, err := w.client.SendMessage(t.Context(), reply("reply/1", orderID.String()), grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	again := reply("reply/1", orderID.String())
	again.Letter.Text = "something else"
	if second, err := w.client.SendMessage(t.Context(), again); err != nil || second.GetId() != first.GetId() {
		t.Errorf("%v %v", second, err)
	}
	w.untilState("reply/1", "SENT")
	if _, err := w.client.SendMessage(t.Context(), reply("reply/2", "")); err != nil {
		t.Fatal(err)
	}
	w.untilState("reply/2", "SENT")
	mails := w.mail.mails()
	if len(mails) != 2 {
		t.Fatalf("%d mails", len(mails))
	}
	m, err := mail.ReadMessage(strings.NewReader(mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"To": "<jane.wrote@example.com>", "Subject": "Re: where is my access?", "In-Reply-To": "<abc.123@mail.example.com>",
		"References": "<abc.123@mail.example.com>", "Reply-To": "<help@example.com>", "X-Makegood-Kind": "support_reply",
		"X-Makegood-Order": orderID.String(), "Message-Id": "<" + first.GetMessageId() + ">", "Auto-Submitted": "no",
	} {
		if got := m.Header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || strings.ReplaceAll(string(body), "\r\n", "\n") != replyText {
		t.Errorf("%q %v", body, err)
	}
	if m, err = mail.ReadMessage(strings.NewReader(mails[1])); err != nil || m.Header.Get("X-Makegood-Order") != "" {
		t.Errorf("about no order: %v %v", m, err)
	}
}

func TestAReplyThatIsRefusedForGoodIsACase(t *testing.T) {
	w := newWorld(t)
	w.mail.answer(func(string) error { return &smtp.SMTPError{Code: 550, Message: "nobody"} }, nil)
	if _, err := w.client.SendMessage(t.Context(), reply("reply/1", ""), grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	w.untilState("reply/1", "FAILED")
	w.peers.set(func(p *peers) {
		if len(p.cases) != 1 || !strings.Contains(p.cases[0].GetSummary(), "A support reply that is about no order") || strings.Contains(p.cases[0].GetSummary(), "jane") {
			t.Errorf("%v", p.cases)
		}
	})
}

func TestLettersThatCannotBeMeant(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*notificationsv1.SendMessageRequest){
		"no letter":             func(r *notificationsv1.SendMessageRequest) { r.Letter = nil },
		"on another kind":       func(r *notificationsv1.SendMessageRequest) { r.Kind = notificationsv1.Message_RECOVERY },
		"another without order": func(r *notificationsv1.SendMessageRequest) { r.Kind, r.OrderId, r.Letter = 1, "", nil },
		"order that is none":    func(r *notificationsv1.SendMessageRequest) { r.OrderId = "x" },
		"no address":            func(r *notificationsv1.SendMessageRequest) { r.Letter.To = "jane" },
		"two addresses":         func(r *notificationsv1.SendMessageRequest) { r.Letter.To = "jane@example.com, joe@example.com" },
		"a header in the id":    func(r *notificationsv1.SendMessageRequest) { r.Letter.InReplyTo = "<a@b>\r\nBcc: joe@example.com" },
		"two ids":               func(r *notificationsv1.SendMessageRequest) { r.Letter.InReplyTo = "<a@b> <c@d>" },
		"no subject":            func(r *notificationsv1.SendMessageRequest) { r.Letter.Subject = " \n " },
		"no text":               func(r *notificationsv1.SendMessageRequest) { r.Letter.Text = " \n " },
	} {
		r := reply("reply/"+strings.ReplaceAll(name, " ", "-"), orderID.String())
		change(r)
		_, err := w.client.SendMessage(context.Background(), r, grpc.WaitForReady(true))
		var e *apperr.Error
		if !errors.As(err, &e) || e.Code != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
