package pages

import (
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// situation names what the page is about, and its words in the catalogue.
type situation string

const (
	unreachable    situation = "unreachable" // Orders gave no answer
	noReference    situation = "no_reference"
	notFound       situation = "not_found"
	checking       situation = "checking"
	checkingLate   situation = "checking_late"
	held           situation = "held" // other money than was asked for arrived
	buyerMustAct   situation = "buyer_must_act"
	payElsewhere   situation = "pay_elsewhere" // on a page of Stripe's or the bank's
	settingUp      situation = "setting_up"
	settingUpLate  situation = "setting_up_late"
	extending      situation = "extending" // the order paid a subscription's next term
	extendingLate  situation = "extending_late"
	ready          situation = "ready"
	readyLate      situation = "ready_late"
	renewed        situation = "renewed"
	accessEnded    situation = "access_ended"
	declined       situation = "declined"
	nothingCharged situation = "nothing_charged"
	refunding      situation = "refunding"
	refundFailed   situation = "refund_failed"
	refunded       situation = "refunded"
)

// wrongAmount is how Orders says that money arrived which it did not ask for.
const wrongAmount = "wrong_amount"

// late is the situation after a time that was named has passed.
var late = map[situation]situation{checking: checkingLate, settingUp: settingUpLate, extending: extendingLate}

// situationOf reads an order.
func situationOf(order *ordersv1.Order, now time.Time) situation {
	s := inTime(order, now)
	if after, ok := late[s]; ok && missed(order.GetPromise(), now) {
		return after
	}
	return s
}

// missed says that what was promised did not come in time. It counts from the
// minute that was named, also before Orders has looked and named the next.
func missed(p *ordersv1.Promise, now time.Time) bool {
	return p.GetMissedCount() > 0 || p.GetBy() != nil && !roundUp(p.GetBy().AsTime()).After(now)
}

// inTime: of a state it does not know it says no more than if Orders had not
// answered.
func inTime(order *ordersv1.Order, now time.Time) situation {
	renewal := order.GetKind() == ordersv1.Order_RENEWAL
	if order.GetState() != ordersv1.Order_REFUNDED && order.GetRefundAskedAt() != nil {
		if order.GetRefundFailed() {
			return refundFailed
		}
		return refunding
	}
	switch order.GetState() {
	case ordersv1.Order_COMPLETE, ordersv1.Order_RECOVERED:
		switch {
		case order.GetAccessUntil() != nil && !order.GetAccessUntil().AsTime().After(now):
			return accessEnded
		case renewal:
			return renewed
		case order.GetState() == ordersv1.Order_RECOVERED:
			return readyLate
		}
		return ready
	case ordersv1.Order_CHARGED, ordersv1.Order_ORPHANED:
		if renewal {
			return extending
		}
		return settingUp
	case ordersv1.Order_FAILED:
		return declined
	case ordersv1.Order_EXPIRED:
		return nothingCharged
	case ordersv1.Order_REFUNDED:
		return refunded
	case ordersv1.Order_PENDING:
		switch order.GetNextAction().GetType() {
		case ordersv1.NextAction_USE_STRIPE_SDK:
			return buyerMustAct
		case ordersv1.NextAction_REDIRECT:
			return payElsewhere
		}
		if order.GetPaymentError().GetCode() == wrongAmount {
			return held
		}
		return checking
	default:
		return unreachable
	}
}

// Rests says that nothing about an order changes any more unless somebody does
// something: neither we nor a bank have anything left to do.
func Rests(order *ordersv1.Order) bool {
	switch order.GetState() {
	case ordersv1.Order_COMPLETE, ordersv1.Order_RECOVERED:
		return order.GetRefundAskedAt() == nil || order.GetRefundFailed()
	case ordersv1.Order_FAILED, ordersv1.Order_EXPIRED, ordersv1.Order_REFUNDED:
		return true
	}
	return false
}

// tone is how the page looks: wait, good, or stop.
func (s situation) tone() string {
	switch s {
	case ready, readyLate, renewed, settingUp, extending:
		return "good"
	case declined, nothingCharged, accessEnded, refunded:
		return "stop"
	}
	return "wait"
}
