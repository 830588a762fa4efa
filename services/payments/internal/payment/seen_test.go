package payment_test

import (
	"testing"

	"makegood.example/services/payments/internal/payment"
)

// What a bank has taken for good is what it did not put back, in the dispute's currency.
func TestWhatADisputeLost(t *testing.T) {
	for name, c := range map[string]struct {
		stands payment.Dispute
		moved  []int64
		lost   int64
	}{
		"open":                             {payment.DisputeOpen, []int64{-24900}, 0},
		"won":                              {payment.DisputeWon, []int64{-24900, 24900}, 0},
		"won, and the money is on its way": {payment.DisputeWon, []int64{-24900}, 0},
		"lost":                             {payment.DisputeLost, []int64{-24900}, 24900},
		"lost, and nothing is booked":      {payment.DisputeLost, nil, 24900},
		"lost for a part":                  {payment.DisputeLost, []int64{-24900, 5000}, 19900},
		"lost for all but a cent":          {payment.DisputeLost, []int64{-24900, 1}, 24899},
		"won, and lost again":              {payment.DisputeLost, []int64{-24900, 24900, -24900}, 24900},
		"another currency":                 {payment.DisputeLost, []int64{-30000}, 24900},
		"a part of another currency":       {payment.DisputeLost, []int64{-30000, 6024}, 19900},
		"all is back and it is lost":       {payment.DisputeLost, []int64{-24900, 24900}, 24900},
	} {
		d := payment.SeenDispute{Stands: c.stands, AmountMinor: 24900}
		for _, amount := range c.moved {
			d.Movements = append(d.Movements, payment.BalanceTransaction{AmountMinor: amount})
		}
		if lost := d.LostMinor(); lost != c.lost {
			t.Errorf("%s: %d, want %d", name, lost, c.lost)
		}
	}
}
