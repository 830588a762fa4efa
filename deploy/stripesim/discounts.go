package stripesim

import (
	"regexp"
	"strconv"
)

// discount is a coupon as a session, a subscription or an invoice has it.
type discount struct {
	ID            string  `json:"id"`
	Object        string  `json:"object"`
	Coupon        coupon  `json:"coupon"`
	PromotionCode *string `json:"promotion_code"`
}

type coupon struct {
	ID         string `json:"id"`
	Object     string `json:"object"`
	Duration   string `json:"duration"` // once or forever
	PercentOff int64  `json:"percent_off"`
	Valid      bool   `json:"valid"`
}

// promotionCode is what the simulator takes: SAVE20 is 20 % off the first payment,
// ALWAYS20 off every one.
var promotionCode = regexp.MustCompile(`^(SAVE|ALWAYS)([1-9][0-9]?|100)$`)

// discountOf is what a buyer gets for a code; nil when there is no such code.
func discountOf(code string) *discount {
	parts := promotionCode.FindStringSubmatch(code)
	if parts == nil {
		return nil
	}
	percent, _ := strconv.ParseInt(parts[2], 10, 64)
	duration := map[string]string{"SAVE": "once", "ALWAYS": "forever"}[parts[1]]
	return &discount{ID: newID("di_", 24), Object: "discount", PromotionCode: &code,
		Coupon: coupon{ID: code, Object: "coupon", Duration: duration, PercentOff: percent, Valid: true}}
}

// off is how much of an amount it takes, in minor units.
func (d *discount) off(amount int64) int64 {
	if d == nil {
		return 0
	}
	return amount * d.Coupon.PercentOff / 100
}

// redeem is a promotion code on the hosted page: once there, it stays.
func (t *tx) redeem(cs *CheckoutSession, code string) *Error {
	if code == "" || cs.hidden.Discount != nil && cs.hidden.Discount.Coupon.ID == code {
		return nil
	}
	if cs.AllowPromotionCodes == nil || !*cs.AllowPromotionCodes {
		return errState("", "promotion_code", "The session takes no promotion codes.")
	}
	d := discountOf(code)
	if d == nil {
		return errState("resource_missing", "promotion_code", "This code is invalid.")
	}
	cs.hidden.Discount = d
	off := d.off(cs.AmountSubtotal)
	cs.AmountTotal = cs.AmountSubtotal - off
	cs.TotalDetails = map[string]int64{"amount_discount": off, "amount_shipping": 0, "amount_tax": 0}
	for _, li := range cs.hidden.Items {
		li.AmountDiscount = d.off(li.AmountSubtotal)
		li.AmountTotal = li.AmountSubtotal - li.AmountDiscount
	}
	save(t, t.w.sessions, cs)
	return nil
}

// discount takes what a subscription's coupon takes off its invoice. A coupon for
// once is used up by it.
func (inv *Invoice) discount(sub *Subscription) {
	d := sub.Discount
	if d == nil {
		return
	}
	off := d.off(inv.Subtotal)
	inv.Discount, inv.TotalDiscounts = d, []any{map[string]any{"amount": off, "discount": d.ID}}
	inv.Total, inv.TotalExcludingTax = inv.Subtotal-off, inv.Subtotal-off
	inv.AmountDue, inv.AmountRemaining = inv.Total, inv.Total
	if d.Coupon.Duration == "once" {
		sub.Discount = nil
	}
}

// credit pays a finalized invoice from what the seller owes its customer.
func (t *tx) credit(inv *Invoice, cus *Customer) {
	used := min(-cus.Balance, inv.Total)
	if used <= 0 {
		return
	}
	inv.StartingBalance = cus.Balance
	cus.Balance += used
	left := cus.Balance
	inv.EndingBalance = &left
	inv.AmountDue -= used
	inv.AmountRemaining = inv.AmountDue
}
