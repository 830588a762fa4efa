package stripegw

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"makegood.example/services/payments/internal/payment"
)

// A charge may be disputed in parts: what was won of the latest says nothing of the
// others.
func TestAllDisputesOfAChargeCount(t *testing.T) {
	t.Parallel()
	for shown, want := range map[string]payment.Dispute{
		"":                              payment.DisputeOpen,
		"won":                           payment.DisputeWon,
		"won,needs_response":            payment.DisputeOpen,
		"won,lost":                      payment.DisputeLost,
		"lost,won,under_review":         payment.DisputeOpen,
		"warning_closed,won,lost":       payment.DisputeLost,
		"warning_closed,warning_closed": payment.DisputeWon,
	} {
		stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch r.URL.Path {
			case "/v1/charges/ch_1":
				_, _ = fmt.Fprint(w, `{"id":"ch_1","object":"charge","amount":24900,"disputed":true}`)
			case "/v1/refunds":
				_, _ = fmt.Fprint(w, `{"object":"list","data":[],"has_more":false,"url":"/v1/refunds"}`)
			case "/v1/disputes":
				var all []string
				for i, status := range strings.Split(shown, ",") {
					if status != "" {
						all = append(all, fmt.Sprintf(`{"id":"dp_%d","object":"dispute","amount":%d,"currency":"usd","status":%q,"evidence_details":{"due_by":1800000000}}`, i, 100+i, status))
					}
				}
				_, _ = fmt.Fprintf(w, `{"object":"list","data":[%s],"has_more":false,"url":"/v1/disputes"}`, strings.Join(all, ","))
			default:
				http.NotFound(w, r)
			}
		}))
		g := New(Config{SecretKey: "sk_test_example", BaseURL: stripe.URL, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
		c, err := g.GetCharge(t.Context(), "ch_1")
		if err != nil || c.Dispute != want {
			t.Errorf("%q stands as %s, want %s: %v", shown, c.Dispute, want, err)
		}
		if waits := strings.Contains(shown, "needs_response"); waits != (c.ToAnswer.AmountMinor == 101 && c.ToAnswer.Currency == "USD" && c.ToAnswer.By.Unix() == 1800000000) ||
			!waits && c.ToAnswer != (payment.ToAnswer{}) {
			t.Errorf("of %q there is to answer %+v", shown, c.ToAnswer)
		}
		stripe.Close()
	}
}
