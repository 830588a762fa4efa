package oneprocess_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"makegood.example/deploy/internal/oneprocess"
)

// A coupon on Stripe's page is what the order then costs: shown, mailed and
// matched, and no case. Where nothing is due the order rests with its access.
func TestAPromotionCodeOnStripesPage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan, code string
		post       oneprocess.Post
		amount     string
		says       string
	}{
		"less":                                 {plan: "annual", code: "SAVE20", post: oneprocess.Prompt, amount: "$199.20", says: "$199.20"},
		"less, found by the sweep alone":       {plan: "annual", code: "SAVE20", post: oneprocess.Silent, amount: "$199.20", says: "$199.20"},
		"nothing":                              {plan: "annual", code: "SAVE100", post: oneprocess.Prompt, amount: "$0.00", says: "There was nothing to pay"},
		"nothing, found by the order's look":   {plan: "annual", code: "SAVE100", post: oneprocess.Silent, amount: "$0.00", says: "There was nothing to pay"},
		"a subscription, less":                 {plan: "annual-subscription", code: "SAVE20", post: oneprocess.Prompt, amount: "$199.20", says: "$199.20"},
		"a subscription that costs nothing":    {plan: "annual-subscription", code: "ALWAYS100", post: oneprocess.Prompt, amount: "$0.00", says: "There was nothing to pay"},
		"a subscription, nothing, and no news": {plan: "annual-subscription", code: "SAVE100", post: oneprocess.Silent, amount: "$0.00", says: "There was nothing to pay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneprocess.New(t, oneprocess.Options{Post: c.post, Settings: map[string]string{"CHECKOUT_PROMOTION_CODES": "on", "RECONCILE_EVERY": "2m"}})
			jane := w.Buyer("jane")
			o := jane.Orders(c.plan, "HOSTED")
			jane.PaysWith(o.NextAction.URL, "pm_card_visa", c.code)
			w.Advance(time.Hour, nil)
			now := jane.Looks()
			if now.State != "COMPLETE" && now.State != "RECOVERED" || now.AmountDisplay != c.amount {
				t.Fatalf("an hour later the order is %+v", now)
			}
			if a := w.Access(account(t, w, o.ID)); !a.Active {
				t.Errorf("access: %+v", a)
			}
			mails := w.Mails(jane.Email)
			if len(mails) != 1 || !strings.Contains(mails[0].Text, c.says) {
				t.Errorf("mails: %v", mails)
			}
			if cases := w.Cases(); len(cases) != 0 {
				t.Errorf("cases: %v", cases)
			}
			rows, err := w.DB.Query(t.Context(), "SELECT disposition FROM reconciliation.charge_dispositions")
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for rows.Next() {
				var d string
				if err := rows.Scan(&d); err != nil {
					t.Fatal(err)
				}
				found = append(found, d)
			}
			charged := c.amount != "$0.00"
			if len(found) != map[bool]int{true: 1, false: 0}[charged] || charged && !slices.Contains([]string{"MATCHED", "RECOVERED"}, found[0]) {
				t.Errorf("dispositions: %v", found)
			}
		})
	}
}
