package notifications_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"google.golang.org/grpc"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

const key = "order/11111111-2222-4333-8444-555555555555/confirmation"

const (
	confirmation  = notificationsv1.Message_CONFIRMATION
	recovery      = notificationsv1.Message_RECOVERY
	paymentFailed = notificationsv1.Message_PAYMENT_FAILED
)

func TestConfirmationIsSent(t *testing.T) {
	w := newWorld(t)
	m := w.send(key, confirmation)
	r := w.untilState(key, "SENT")
	if r.SentAt == nil || r.Attempts != 1 || r.LastError != "" || r.Recipient == nil || *r.Recipient != "jane@example.com" {
		t.Errorf("row: %+v", r)
	}
	got := w.mails(1)[0]
	for header, want := range map[string]string{
		"From": `"Example App" <no-reply@mail.example.com>`, "To": "<jane@example.com>", "Reply-To": "<help@example.com>",
		"Message-ID": "<" + m.GetMessageId() + ">", "X-Makegood-Order": orderID.String(), "X-Makegood-Kind": "confirmation",
		"Subject": "Your Example App order A1B2C3D4 is confirmed",
	} {
		if got.header(header) != want {
			t.Errorf("%s is %q, want %q", header, got.header(header), want)
		}
	}
	if !strings.HasSuffix(m.GetMessageId(), "@mail.example.com") {
		t.Errorf("message id: %s", m.GetMessageId())
	}
	for part, body := range map[string]string{"text": got.text, "html": got.html} {
		for _, want := range []string{"Annual plan", "$249.00", "A1B2C3D4", "21 November 2027", "help@example.com", "Hello Jane Example,", "Set up your account", "28 November 2026, 09:05 UTC"} {
			if !strings.Contains(body, want) {
				t.Errorf("the %s part lacks %q:\n%s", part, want, body)
			}
		}
	}
	if !strings.Contains(got.text, "https://app.example.com/activate?token=abc&x=1") || !strings.Contains(got.html, `href="https://app.example.com/activate?token=abc&amp;x=1"`) ||
		!strings.Contains(got.html, `href="mailto:help@example.com"`) {
		t.Errorf("links are missing:\n%s\n%s", got.text, got.html)
	}
	for _, private := range []string{"jane@", "Jane", "token=abc"} {
		if strings.Contains(w.log.String(), private) {
			t.Errorf("the log contains %q", private)
		}
	}
}

func TestOneKeyIsOneMail(t *testing.T) {
	w := newWorld(t)
	w.send("warm", paymentFailed) // superseded at once; the service is up
	ids := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			kind := confirmation
			if i%2 == 1 {
				kind = recovery
			}
			m, err := w.client.SendMessage(t.Context(), &notificationsv1.SendMessageRequest{DedupeKey: key, Kind: kind, OrderId: orderID.String()}, grpc.WaitForReady(true))
			if err != nil {
				t.Errorf("SendMessage: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[m.GetId()+m.GetKind().String()] = true
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("the answers name %d messages", len(ids))
	}
	w.until("the message to rest", func() bool { s := w.row(key).State; return s == "SENT" || s == "SUPERSEDED" })
	again := w.send(key, confirmation)
	if got := again.GetState().String(); got != w.row(key).State {
		t.Errorf("asked again, the state is %s", got)
	}
	w.untilIdle()
	want := 1
	if w.row(key).State == "SUPERSEDED" { // a RECOVERY came first, and the order is COMPLETE
		want = 0
	}
	if n := len(w.mail.mails()); n != want {
		t.Errorf("%d mails went out, want %d", n, want)
	}
}

func TestTemporaryRefusalIsRetried(t *testing.T) {
	w := newWorld(t)
	tries := 0
	w.mail.answer(func(string) error {
		if tries++; tries == 1 {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "try later, <jane@example.com>"}
		}
		return nil
	}, nil)
	w.send(key, confirmation)
	w.until("the refusal to be noted", func() bool { return w.row(key).LastError != "" })
	if r := w.row(key); !strings.Contains(r.LastError, "451") || strings.Contains(r.LastError, "jane") || r.State != "SENDING" {
		t.Errorf("after a temporary refusal: %+v", r)
	}
	w.hurry()
	if r := w.untilState(key, "SENT"); r.Attempts != 2 {
		t.Errorf("row: %+v", r)
	}
	w.mails(1)
}

func TestPermanentRefusalOpensACase(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.reconciliationDown = true })
	w.mail.answer(func(string) error {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "jane@example.com: no such user"}
	}, nil)
	w.send(key, confirmation)
	w.until("a case to be tried", func() bool { w.peers.mu.Lock(); defer w.peers.mu.Unlock(); return w.peers.caseCalls > 0 })
	w.until("the refusal to be noted", func() bool { return w.row(key).LastError != "" })
	if s := w.row(key).State; s != "SENDING" {
		t.Fatalf("the message is %s although no case could be opened", s)
	}
	w.peers.set(func(p *peers) { p.reconciliationDown = false })
	w.hurry()
	r := w.untilState(key, "FAILED")
	if !strings.Contains(r.LastError, "550") || strings.Contains(r.LastError, "jane") {
		t.Errorf("row: %+v", r)
	}
	w.peers.mu.Lock()
	defer w.peers.mu.Unlock()
	if len(w.peers.cases) != 1 {
		t.Fatalf("%d cases", len(w.peers.cases))
	}
	c := w.peers.cases[0]
	if c.GetKind() != reconciliationv1.Case_UNDELIVERED_MESSAGE || c.GetSubject() != "message/"+key || strings.Contains(c.GetSummary(), "jane") || !strings.Contains(c.GetSummary(), orderID.String()) {
		t.Errorf("case: %v", c)
	}
}

func TestLostAcknowledgementRepeatsTheSameMail(t *testing.T) {
	w := newWorld(t)
	w.mail.answer(nil, func(conn *smtp.Conn, n int) error {
		if n == 1 {
			conn.Close() // kept, but never acknowledged
		}
		return nil
	})
	w.send(key, confirmation)
	w.until("the first mail", func() bool { return len(w.mail.mails()) == 1 && w.row(key).LastError != "" })
	w.hurry()
	w.untilState(key, "SENT")
	got := w.mails(2)
	if got[0].header("Message-ID") == "" || got[0].header("Message-ID") != got[1].header("Message-ID") {
		t.Errorf("Message-IDs: %s, %s", got[0].header("Message-ID"), got[1].header("Message-ID"))
	}
}

func TestWhatIsNoLongerTrueIsNotSent(t *testing.T) {
	for _, c := range []struct {
		kind  notificationsv1.Message_Kind
		state ordersv1.Order_State
	}{
		{confirmation, ordersv1.Order_REFUNDED}, {confirmation, ordersv1.Order_RECOVERED}, {recovery, ordersv1.Order_COMPLETE},
		{recovery, ordersv1.Order_REFUNDED}, {paymentFailed, ordersv1.Order_CHARGED}, {paymentFailed, ordersv1.Order_COMPLETE},
	} {
		t.Run(c.kind.String()+" of "+c.state.String(), func(t *testing.T) {
			w := newWorld(t)
			w.peers.set(func(p *peers) { p.ordersDown = true })
			w.send(key, c.kind)
			w.until("Orders to be asked", func() bool { return w.row(key).LastError != "" })
			if s := w.row(key).State; s != "QUEUED" {
				t.Errorf("the message is %s although Orders gave no answer", s)
			}
			w.peers.set(func(p *peers) { p.ordersDown = false; p.order.Order.State = c.state })
			w.hurry()
			w.untilState(key, "SUPERSEDED")
			w.mails(0)
		})
	}
}

func TestOtherKinds(t *testing.T) {
	t.Run("recovery", func(t *testing.T) {
		w := newWorld(t)
		w.peers.set(func(p *peers) {
			p.order.Order.State = ordersv1.Order_RECOVERED
			p.link = &provisioningv1.CreateSignInLinkResponse{Kind: provisioningv1.CreateSignInLinkResponse_LOGIN, Url: "https://app.example.com/login"}
		})
		w.send(key, recovery)
		w.untilState(key, "SENT")
		got := w.mails(1)[0]
		if got.header("X-Makegood-Kind") != "recovery" {
			t.Error(got.header("X-Makegood-Kind"))
		}
		for part, body := range map[string]string{"text": got.text, "html": got.html} {
			for _, want := range []string{"your access came later than it should have", "we are sorry", "Your payment of $249.00 is applied to this order", "no need to pay again", "A1B2C3D4", "21 November 2027", "Annual plan", "Log in", "https://app.example.com/login"} {
				if !strings.Contains(body, want) {
					t.Errorf("the %s part lacks %q:\n%s", part, want, body)
				}
			}
		}
	})
	t.Run("payment failed", func(t *testing.T) {
		w := newWorld(t)
		w.peers.set(func(p *peers) { p.order.Order.State = ordersv1.Order_EXPIRED; p.order.Order.AccessUntil = nil })
		w.send(key, paymentFailed)
		w.untilState(key, "SENT")
		got := w.mails(1)[0]
		if got.header("X-Makegood-Kind") != "payment_failed" {
			t.Error(got.header("X-Makegood-Kind"))
		}
		for part, body := range map[string]string{"text": got.text, "html": got.html} {
			for _, want := range []string{"Nothing was charged for it, and nothing will be", "A1B2C3D4", "Order again", "https://app.example.com"} {
				if !strings.Contains(body, want) {
					t.Errorf("the %s part lacks %q:\n%s", part, want, body)
				}
			}
			if strings.Contains(body, "Valid until") {
				t.Errorf("the %s part speaks of access", part)
			}
		}
	})
	t.Run("payment refused after days", func(t *testing.T) {
		w := newWorld(t)
		w.peers.set(func(p *peers) { p.order.Order.State = ordersv1.Order_FAILED; p.order.Order.AccessUntil = nil })
		w.send(key, paymentFailed)
		w.untilState(key, "SENT")
		got := w.mails(1)[0]
		for part, body := range map[string]string{"text": got.text, "html": got.html} {
			if !strings.Contains(body, "Your payment was refused") || !strings.Contains(body, "Nothing was charged for it.") || strings.Contains(body, "nothing will be") {
				t.Errorf("the %s part:\n%s", part, body)
			}
		}
	})
}
