package notifications_test

import (
	"strings"
	"testing"
	"time"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

const (
	refund    = notificationsv1.Message_REFUND
	refundKey = "order/11111111-2222-4333-8444-555555555555/refund/5000"
)

func (p *peers) refunded(minor int64, display string, refunds ...*paymentsv1.Refund) {
	p.order.RefundedMinor, p.order.RefundedDisplay, p.refunds = minor, display, refunds
}

func stripeRefund(id string, minor int64, status paymentsv1.Refund_Status) *paymentsv1.Refund {
	return &paymentsv1.Refund{StripeRefundId: id, AmountMinor: minor, Currency: "USD", Status: status}
}

func TestARefundIsTold(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.refunded(5000, "$50.00", stripeRefund("re_1", 5000, paymentsv1.Refund_PENDING)) })
	w.send(refundKey, refund)
	w.untilState(refundKey, "SENT")
	got := w.mails(1)[0]
	if got.header("X-Makegood-Kind") != "refund" {
		t.Errorf("told as %s", got.header("X-Makegood-Kind"))
	}
	for part, body := range map[string]string{"text": got.text, "html": got.html} {
		if !strings.Contains(body, "$50.00 of your payment of $249.00") || !strings.Contains(body, "$199.00") || !strings.Contains(body, "re_1") ||
			!strings.Contains(body, "5 to 10 business days") || strings.Contains(body, "ends with it") {
			t.Errorf("the %s part:\n%s", part, body)
		}
	}
	w.peers.set(func(p *peers) { p.refunded(0, "", stripeRefund("re_1", 5000, paymentsv1.Refund_FAILED)) }) // the bank sent it back
	w.send(refundKey+"/2", refund)
	w.untilState(refundKey+"/2", "SUPERSEDED")
}

func TestARefundWaitsForItsReference(t *testing.T) {
	w := newWorld(t)
	sent := stripeRefund("re_2", 2000, paymentsv1.Refund_SUCCEEDED)
	w.peers.set(func(p *peers) { p.paymentsDown = true; p.refunded(5000, "$50.00", sent) })
	w.send(refundKey, refund)
	w.until("the failure to be noted", func() bool { return strings.Contains(w.row(refundKey).LastError, "payments cannot be asked") })
	w.peers.set(func(p *peers) { p.paymentsDown = false }) // and does not know of all of it yet
	w.hurry()
	w.until("the difference to be noted", func() bool { return strings.Contains(w.row(refundKey).LastError, "not what orders says") })
	w.peers.set(func(p *peers) {
		p.refunds = append(p.refunds, stripeRefund("re_3", 3000, paymentsv1.Refund_PENDING), // and what never left does not count
			stripeRefund("re_4", 9000, paymentsv1.Refund_FAILED), stripeRefund("", 700, paymentsv1.Refund_REQUESTED),
			&paymentsv1.Refund{StripeRefundId: "re_5", AmountMinor: 24900, Currency: "USD", Status: paymentsv1.Refund_SUCCEEDED, ChargeId: "ch_second"})
	})
	w.hurry()
	w.untilState(refundKey, "SENT")
	if text := w.mails(1)[0].text; !strings.Contains(text, "re_2 ($20.00)") || !strings.Contains(text, "re_3 ($30.00)") || strings.Contains(text, "re_4") || strings.Contains(text, "re_5") {
		t.Errorf("told:\n%s", text)
	}
}

func TestARefundIsToldWithoutItsReferenceRatherThanNever(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.paymentsDown = true; p.refunded(5000, "$50.00") })
	w.send(refundKey, refund)
	w.until("the failure to be noted", func() bool { return w.row(refundKey).LastError != "" })
	w.later.Store(int64(31 * time.Minute))
	w.hurry()
	w.untilState(refundKey, "SENT")
	if text := w.mails(1)[0].text; !strings.Contains(text, "In all, $50.00") || strings.Contains(text, "reference is") {
		t.Errorf("told:\n%s", text)
	}
}
