package oneprocess_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"makegood.example/deploy/internal/oneprocess"
)

// A renewal's bill shows ten of its lines, and the one that says which year is paid
// comes after what was added in between: the year is given all the same.
func TestARenewalOfManyLines(t *testing.T) {
	t.Parallel()
	for name, post := range map[string]oneprocess.Post{"by its events": oneprocess.Prompt, "by looks alone": oneprocess.Silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneprocess.New(t, oneprocess.Options{Post: post})
			jane := w.Buyer("jane")
			o := jane.Subscribes("annual-subscription", "pm_card_visa")
			w.Advance(time.Hour, nil)
			begin := w.Clock.Now()
			sub := w.Stripe.Subscriptions(w.Stripe.Customers(jane.Email)[0])[0]
			for i := range 24 {
				w.Stripe.Post("/v1/invoiceitems", url.Values{
					"customer": {sub.Customer}, "subscription": {sub.ID}, "amount": {"100"}, "currency": {"usd"}, "description": {fmt.Sprint("A seat for a month, ", i)},
				}, nil)
			}
			w.AdvanceTo(begin.AddDate(1, 0, 2), nil)
			until := w.Access(account(t, w, o.ID)).AccessUntil
			if until == nil || begin.AddDate(2, 0, 0).Sub(*until).Abs() > 24*time.Hour*30 {
				t.Errorf("after the renewal there is access until %v", until)
			}
			var renewal string
			if err := w.DB.QueryRow(t.Context(), `SELECT concat_ws(' ', state, amount_minor) FROM orders.orders WHERE kind = 'RENEWAL'`).Scan(&renewal); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(renewal, " 27300") || !strings.HasPrefix(renewal, "COMPLETE") && !strings.HasPrefix(renewal, "RECOVERED") {
				t.Errorf("the renewal is %s", renewal)
			}
			if cases := w.Cases(); len(cases) != 0 {
				t.Errorf("cases: %v", cases)
			}
		})
	}
}
