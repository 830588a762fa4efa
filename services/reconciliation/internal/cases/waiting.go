package cases

import "strings"

// Wait is from when on a customer waits because of a case.
type Wait int

// The waits.
const (
	// Nobody waits: it is ours to deal with.
	Nobody Wait = iota
	// SinceOrder is since the order was charged, or else made.
	SinceOrder
	// SinceCharge is since Stripe made the charge.
	SinceCharge
	// SinceOpened is since the case was opened.
	SinceOpened
)

// Waits says from when on a customer waits because of the case.
func (c Case) Waits() Wait {
	_, ofOrder := c.OrderID()
	switch c.Kind {
	case StuckOrder, WrongCharge, DuplicateCharge, UnknownPayment:
		if ofOrder {
			return SinceOrder
		}
		return SinceCharge
	case UnidentifiedCharge, ClaimedCharge:
		return SinceCharge
	case UndeliveredMessage:
		switch {
		case ofOrder && strings.HasSuffix(c.Subject, "/confirmation"):
			return SinceOrder // they have not heard that they have access
		case ofOrder:
			return SinceOpened
		}
	case UnclearEvent:
		if c.After("charge/") != "" {
			return SinceCharge
		}
	case FailedRefund:
		return SinceOpened // for their money, however old the order is
	}
	return Nobody
}
