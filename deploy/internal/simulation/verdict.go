package simulation

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"makegood.example/deploy/internal/judge"
)

func (h *history) sources() judge.Sources {
	return judge.Sources{DB: h.w.DB, StripeURL: h.w.Stripe.URL, InboxURL: h.w.MailURL(), AppID: "makegood", Acknowledged: h.w.Acknowledged()}
}

func (h *history) unfinished() []string {
	h.t.Helper()
	lines, err := judge.Unfinished(h.t.Context(), h.sources())
	if err != nil {
		h.t.Fatal(err)
	}
	return lines
}

// judge says what is wrong with how it ended.
func (h *history) judge() {
	h.t.Helper()
	findings, err := judge.Judge(h.t.Context(), h.sources())
	if err != nil {
		h.t.Fatal(err)
	}
	findings = append(judge.StrandedBy(h.unfinished(), restMost), findings...)
	for _, f := range findings {
		h.violated("%s", f)
	}
	h.judgeAbsence()
	h.count()
}

// violated fails the test, and says so at once: its whole output comes when all have
// been played.
func (h *history) violated(format string, args ...any) {
	h.t.Helper()
	fmt.Printf("SEED=%d %s\n", h.plan.Seed, fmt.Sprintf(format, args...))
	h.t.Errorf(format, args...)
}

// chargedWithin is how long after the buyer was last here a charge may begin, and
// what clocks may differ by.
const chargedWithin = 5*time.Minute + 10*time.Second

// judgeAbsence: nobody was charged who had left.
func (h *history) judgeAbsence() {
	h.t.Helper()
	for _, b := range h.buyers {
		if b.renews {
			continue
		}
		for _, c := range h.charges(b) {
			at := time.Unix(c.Created, 0)
			if !slices.ContainsFunc(b.here, func(here time.Time) bool { return at.Sub(here) > -10*time.Second && at.Sub(here) < chargedWithin }) {
				h.violated("%s was charged %s at %s and was here only at %v", b.Email, c.ID, at.UTC(), b.here)
			}
		}
	}
}

// count adds what Stripe has to what happened.
func (h *history) count() {
	h.t.Helper()
	for _, b := range h.buyers {
		paid := h.charges(b)
		for range paid {
			h.tally.happened(Bought)
		}
		if len(paid) == 0 {
			h.tally.happened(Abandoned)
		}
		if !b.renews {
			continue
		}
		for _, customer := range h.w.Stripe.Customers(b.Email) {
			for _, sub := range h.w.Stripe.Subscriptions(customer) {
				for _, inv := range h.w.Stripe.Invoices(sub.ID) {
					switch {
					case inv.BillingReason != "subscription_cycle":
					case inv.Status == "paid":
						h.tally.happened(Renewed)
					default:
						h.tally.happened(RenewalFailed)
					}
				}
			}
		}
	}
	var charges struct {
		Data []struct {
			PaymentMethodDetails struct{ Type string } `json:"payment_method_details"`
		}
	}
	h.w.Stripe.Get("/v1/charges", url.Values{"limit": {"100"}}, &charges)
	for _, c := range charges.Data {
		if strings.HasSuffix(c.PaymentMethodDetails.Type, "bank_account") {
			h.tally.happened(Debited)
		}
	}
}
