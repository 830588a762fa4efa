package oneprocess_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"makegood.example/deploy/internal/oneprocess"
)

// inBrowser orders without a card, and confirms at Stripe as Stripe.js does.
func inBrowser(t *testing.T, w *oneprocess.World, b *oneprocess.Buyer, method string) (intent string) {
	t.Helper()
	status, o, said := b.Place("annual", nil)
	secret := o.NextAction.ClientSecret
	if status != http.StatusOK || o.NextAction.Type != "USE_STRIPE_SDK" || secret == "" {
		t.Fatalf("an order without a card: %d %s", status, said)
	}
	intent, _, _ = strings.Cut(secret, "_secret_")
	w.Stripe.Post("/v1/payment_intents/"+intent+"/confirm", url.Values{"payment_method": {method}}, nil)
	return intent
}

func stands(t *testing.T, b *oneprocess.Buyer, state, next string) {
	t.Helper()
	if o := b.Looks(); o.State != state || o.NextAction.Type != next {
		t.Errorf("%s sees %s, to do: %s; want %s %s", b.Email, o.State, o.NextAction.Type, state, next)
	}
}

func grants(t *testing.T, w *oneprocess.World) (n int) {
	t.Helper()
	if err := w.DB.QueryRow(t.Context(), "SELECT count(*) FROM provisioning.grants").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func told(t *testing.T, w *oneprocess.World, b *oneprocess.Buyer, want ...string) {
	t.Helper()
	if got := kinds(w.Mails(b.Email)); !slices.Equal(got, want) {
		t.Errorf("%s has the mails %v, want %v", b.Email, got, want)
	}
}

// What waits for the buyer's bank, or for the buyer, told by events and found by looks.
func TestWhatTheBrowserConfirms(t *testing.T) {
	for name, post := range map[string]oneprocess.Post{"told": oneprocess.Prompt, "looked for": oneprocess.Silent} {
		t.Run(name, func(t *testing.T) {
			w := oneprocess.New(t, oneprocess.Options{Post: post})
			w.Stripe.Control("/_sim/settings", map[string]any{"async_settle_hours": 60}, nil)

			asked, left := w.Buyer("asked"), w.Buyer("left")
			intent := inBrowser(t, w, asked, "pm_card_authenticationRequired")
			if o := asked.ComesBack(); o.State != "PENDING" || o.NextAction.Type != "USE_STRIPE_SDK" {
				t.Errorf("before the authentication: %+v", o)
			}
			w.Stripe.Authenticate(intent)
			if o := asked.ComesBack(); o.State != "COMPLETE" {
				t.Errorf("after the authentication: %+v", o)
			}
			abandoned := inBrowser(t, w, left, "pm_card_authenticationRequired")

			yes, no, unheard := w.Buyer("yes"), w.Buyer("no"), w.Buyer("unheard")
			inBrowser(t, w, yes, "pm_usBankAccount_success")
			inBrowser(t, w, no, "pm_usBankAccount_insufficientFunds")
			for _, b := range []*oneprocess.Buyer{yes, no} {
				if o := b.ComesBack(); o.State != "PENDING" || o.NextAction.Type != "WAIT" {
					t.Errorf("%s, while the bank thinks: %+v", b.Email, o)
				}
			}

			w.Advance(48*time.Hour, nil) // twice as long as an order waits for its buyer
			if status := w.Stripe.IntentStatus(abandoned); status != "canceled" {
				t.Errorf("the abandoned intent is %s", status)
			}
			stands(t, left, "EXPIRED", "NONE")
			for _, b := range []*oneprocess.Buyer{yes, no} {
				stands(t, b, "PENDING", "WAIT")
				told(t, w, b)
			}
			if n := grants(t, w); n != 1 { // of whoever authenticated
				t.Errorf("%d grants before the banks decided", n)
			}

			// Nobody here hears that a bank has this one before it says no.
			page := unheard.Orders("annual", "HOSTED").NextAction.URL
			w.Stop("payments")
			unheard.PaysOn(page, "pm_sim_async_failure")
			var all struct {
				Intents []struct{ ID string } `json:"payment_intents"`
			}
			w.Stripe.Control("/_sim/state", nil, &all)
			last := all.Intents[len(all.Intents)-1]
			w.Stripe.Control("/_sim/payment_intents/"+last.ID+"/settle", map[string]string{"outcome": "failure"}, nil)
			w.Start("payments")

			w.Advance(24*time.Hour, nil)
			stands(t, yes, "COMPLETE", "NONE")
			told(t, w, yes, "confirmation")
			stands(t, unheard, "FAILED", "NONE")
			told(t, w, unheard, "payment_failed")
			stands(t, no, "FAILED", "PAY_AGAIN")
			told(t, w, no, "payment_failed")
			another := map[string]string{"attempt_id": uuid.NewString(), "payment_method": "pm_card_visa"}
			if status, o := no.Asks(http.MethodPost, "/"+no.Reference+":pay", another); status != http.StatusOK || o.State != "COMPLETE" {
				t.Errorf("another card: %d %+v", status, o)
			}
			if n := grants(t, w); n != 3 {
				t.Errorf("%d grants", n)
			}
			if cases := w.Cases(); len(cases) != 0 {
				t.Errorf("cases: %q", cases)
			}
		})
	}
}
