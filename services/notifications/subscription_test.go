package notifications_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

const (
	renewalFailedKey = "subscription/sub_1/invoice/in_2/payment-failed"
	actionKey        = "subscription/sub_1/invoice/in_2/action-required"
	endingKey        = "subscription/sub_1/access-ending/2099-11-21"
)

// subscribed makes the order one that began a subscription, as it stands now.
func (p *peers) subscribed(s *paymentsv1.Subscription) {
	s.SubscriptionId, s.OrderId = "sub_1", orderID.String()
	p.order.Subscription = s
	p.order.SubscriptionAccessUntil = timestamppb.New(time.Date(2099, 11, 21, 12, 0, 0, 0, time.UTC))
	if s.GetUnpaid() != nil {
		p.order.UnpaidDisplay = "$249.00"
	}
}

func unpaid(actionRequired bool) *paymentsv1.UnpaidInvoice {
	return &paymentsv1.UnpaidInvoice{
		InvoiceId: "in_2", AmountMinor: 24900, Currency: "USD", HostedUrl: "https://invoice.stripe.example/i/in_2?a=1&b=2",
		ActionRequired: actionRequired, NextAttemptAt: timestamppb.New(time.Date(2099, 11, 18, 12, 0, 0, 0, time.UTC)),
	}
}

func TestARenewalIsTold(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) {
		p.order.Order.Kind, p.order.Renews = ordersv1.Order_RENEWAL, true
		p.order.Name = "Jané \"JJ\" 👩‍🚀\r\nBcc: eve@example.com"
		p.subscribed(&paymentsv1.Subscription{Status: paymentsv1.Subscription_ACTIVE, Renews: true})
	})
	w.send(key, notificationsv1.Message_RENEWED)
	w.untilState(key, "SENT")
	got := w.mails(1)[0]
	if got.header("X-Makegood-Kind") != "renewed" || got.header("Subject") != "Your Example App subscription is renewed, order A1B2C3D4" || got.header("Bcc") != "" {
		t.Errorf("told as %s, %q", got.header("X-Makegood-Kind"), got.header("Subject"))
	}
	for part, body := range map[string]string{"text": got.text, "html": got.html} {
		for _, want := range []string{"$249.00", "21 November 2027 (UTC)", "To cancel it, answer this mail", "help@example.com"} {
			if !strings.Contains(body, want) || strings.Contains(body, "eve@") {
				t.Errorf("the %s part lacks %q:\n%s", part, want, body)
			}
		}
	}
}

func TestWhatARenewalNeedsIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		kind   notificationsv1.Message_Kind
		key    string
		sub    *paymentsv1.Subscription
		header string
		says   []string
		link   bool
	}{
		"not charged": {paymentFailed, renewalFailedKey, &paymentsv1.Subscription{Status: paymentsv1.Subscription_PAST_DUE, Renews: true, Unpaid: unpaid(false)},
			"payment_failed", []string{"We could not collect $249.00", "until 21 November 2099 (UTC)", "18 November 2099"}, true},
		"to be confirmed": {notificationsv1.Message_ACTION_REQUIRED, actionKey, &paymentsv1.Subscription{Status: paymentsv1.Subscription_PAST_DUE, Unpaid: unpaid(true)},
			"action_required", []string{"asks you to confirm", "$249.00", "until 21 November 2099 (UTC)"}, true},
		"ends, not charged": {notificationsv1.Message_ACCESS_ENDING, endingKey, &paymentsv1.Subscription{Status: paymentsv1.Subscription_PAST_DUE, Renews: true, Unpaid: unpaid(false)},
			"access_ending", []string{"ends on 21 November 2099 (UTC), because the payment for the next term"}, true},
		"ends, canceled": {notificationsv1.Message_ACCESS_ENDING, endingKey, &paymentsv1.Subscription{Status: paymentsv1.Subscription_ACTIVE},
			"access_ending", []string{"ends on 21 November 2099 (UTC), because your subscription is not set to renew", "https://app.example.com"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.peers.set(func(p *peers) { p.subscribed(c.sub) })
			w.send(c.key, c.kind)
			w.untilState(c.key, "SENT")
			got := w.mails(1)[0]
			if got.header("X-Makegood-Kind") != c.header || got.header("X-Makegood-Order") != orderID.String() {
				t.Errorf("%s of %s", got.header("X-Makegood-Kind"), got.header("X-Makegood-Order"))
			}
			for part, body := range map[string]string{"text": got.text, "html": got.html} {
				for _, want := range c.says {
					if !strings.Contains(body, want) {
						t.Errorf("the %s part lacks %q:\n%s", part, want, body)
					}
				}
			}
			if strings.Contains(got.text, "https://invoice.stripe.example/i/in_2?a=1&b=2") != c.link ||
				strings.Contains(got.html, `href="https://invoice.stripe.example/i/in_2?a=1&amp;b=2"`) != c.link {
				t.Errorf("the link:\n%s\n%s", got.text, got.html)
			}
		})
	}
}

func TestWhatARenewalNoLongerNeedsIsNotTold(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) {
		p.subscribed(&paymentsv1.Subscription{Status: paymentsv1.Subscription_ACTIVE, Renews: true})
	})
	for key, kind := range map[string]notificationsv1.Message_Kind{
		renewalFailedKey: paymentFailed, actionKey: notificationsv1.Message_ACTION_REQUIRED, endingKey: notificationsv1.Message_ACCESS_ENDING,
		key: notificationsv1.Message_RENEWED,
	} {
		w.send(key, kind)
		w.untilState(key, "SUPERSEDED")
	}
	w.mails(0)
}

func TestWithoutAccessNoneIsSpokenOf(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) {
		p.subscribed(&paymentsv1.Subscription{Status: paymentsv1.Subscription_PAST_DUE, Renews: true, Unpaid: unpaid(false)})
		p.order.SubscriptionAccessUntil = nil
	})
	w.send(renewalFailedKey, paymentFailed)
	w.send(endingKey, notificationsv1.Message_ACCESS_ENDING)
	w.untilState(renewalFailedKey, "SENT")
	w.untilState(endingKey, "SUPERSEDED")
	if text := w.mails(1)[0].text; strings.Contains(text, "keep your access") || strings.Contains(text, "Access until") {
		t.Errorf("told:\n%s", text)
	}
}
