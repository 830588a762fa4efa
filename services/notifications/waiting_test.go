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

const reference = "99999999-aaaa-4bbb-8ccc-dddddddddddd"

// paidWithoutAccess is an order whose buyer waits; its promise was missed once.
func (p *peers) paidWithoutAccess(now time.Time) {
	o := p.order.Order
	o.State, o.AccessUntil, o.Reference = ordersv1.Order_CHARGED, nil, reference
	o.ChargedAt = timestamppb.New(now.Add(-5 * time.Minute))
	o.Promise = &ordersv1.Promise{By: timestamppb.New(now.Add(3 * time.Minute)), MissedBy: timestamppb.New(now.Add(-time.Minute)), MissedCount: 1, RefundOffered: true}
	p.order.RefundToken, p.order.RefundOfferUntil = "a-token", timestamppb.New(now.Add(336*time.Hour))
}

// said has one message sent and returns its text.
func (w *world) said(what string, kind notificationsv1.Message_Kind) string {
	w.t.Helper()
	key := "order/" + orderID.String() + "/" + what
	before := len(w.mail.mails())
	w.send(key, kind)
	w.untilState(key, "SENT")
	return w.mails(before + 1)[before].text
}

func TestSomebodyWhoWaitsIsToldByWhenAndWhereToLook(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.paidWithoutAccess(w.now()) })
	page := "http://127.0.0.1:8080/payment-issue?ref=" + reference
	still := w.said("still-working", notificationsv1.Message_STILL_WORKING)
	if !strings.Contains(still, page) || strings.Contains(still, "a-token") || strings.Contains(still, "refund") {
		t.Errorf("still working:\n%s", still)
	}
	offer := w.said("refund-offer", notificationsv1.Message_REFUND_OFFER)
	if !strings.Contains(offer, page+"&refund=a-token") {
		t.Errorf("the offer:\n%s", offer)
	}
	for _, text := range []string{still, offer} {
		if by := w.now().Add(3 * time.Minute); !strings.Contains(text, by.Format("2 January 2006, 15:04")) && !strings.Contains(text, by.Add(time.Minute).Format("2 January 2006, 15:04")) {
			t.Errorf("no time is named:\n%s", text)
		}
	}
}

func TestWordsOfWaitingAreSupersededByAccessAndByARefund(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.paidWithoutAccess(w.now()) })
	for what, change := range map[string]func(*ordersv1.DescribeOrderResponse){
		"recovered": func(d *ordersv1.DescribeOrderResponse) { d.Order.State = ordersv1.Order_RECOVERED },
		"complete":  func(d *ordersv1.DescribeOrderResponse) { d.Order.State = ordersv1.Order_COMPLETE },
		"refunded":  func(d *ordersv1.DescribeOrderResponse) { d.Order.State = ordersv1.Order_REFUNDED },
		"asked":     func(d *ordersv1.DescribeOrderResponse) { d.Order.RefundAskedAt = timestamppb.New(w.now()) },
	} {
		w.peers.set(func(p *peers) {
			p.paidWithoutAccess(w.now())
			p.order.Order.RefundAskedAt = nil
			change(p.order)
		})
		for kind, key := range map[notificationsv1.Message_Kind]string{notificationsv1.Message_STILL_WORKING: what + "/still", notificationsv1.Message_REFUND_OFFER: what + "/offer"} {
			w.send(key, kind)
			w.untilState(key, "SUPERSEDED")
		}
	}
	w.mails(0)
}

func TestARefusedRepeatIsToldToTheBuyerOfTheFirst(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) { p.order.Order.Reference = reference })
	text := w.said("repeat-refused", notificationsv1.Message_REPEAT_REFUSED)
	if !strings.Contains(text, "A1B2C3D4") || !strings.Contains(text, "nothing was charged for it") {
		t.Errorf("told:\n%s", text)
	}
}

func TestASecondPaymentsRefundIsToldAsThatWhileTheFirstStands(t *testing.T) {
	w := newWorld(t)
	w.peers.set(func(p *peers) {
		p.refunded(24900, "$249.00", stripeRefund("re_1", 24900, paymentsv1.Refund_SUCCEEDED))
		p.order.Order.State, p.order.SecondOfTwo = ordersv1.Order_REFUNDED, true
	})
	const second = "Your first payment stays"
	if text := w.said("refund/1", notificationsv1.Message_DUPLICATE_REFUNDED); !strings.Contains(text, second) || !strings.Contains(text, "re_1") {
		t.Errorf("told:\n%s", text)
	}
	w.peers.set(func(p *peers) { p.order.SecondOfTwo = false })
	if text := w.said("refund/2", notificationsv1.Message_DUPLICATE_REFUNDED); strings.Contains(text, second) || !strings.Contains(text, "re_1") {
		t.Errorf("told although the first does not stand:\n%s", text)
	}
}
