package stripesim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

// browse sends what a page would, without a secret key, and does not follow
// redirects.
func (s *sim) browse(method, address string, form url.Values) (*http.Response, string) {
	s.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = s.url + address
	}
	var body io.Reader
	if method == http.MethodGet && form != nil {
		address += "?" + form.Encode()
	} else {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(raw)
}

func TestBrowserConfirmsWithTheClientSecret(t *testing.T) {
	s := start(t, stripesim.Config{})
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(24900, s.newCustomer().ID)))
	path := "/v1/payment_intents/" + pi.ID
	form := url.Values{"key": {"pk_test_makegood"}, "client_secret": {pi.ClientSecret}}

	for name, bad := range map[string]url.Values{
		"no secret":    {"key": {"pk_test_makegood"}},
		"wrong secret": {"key": {"pk_test_makegood"}, "client_secret": {pi.ID + "_secret_other"}},
	} {
		if res, body := s.browse("GET", path, bad); res.StatusCode != 400 {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
	if res, _ := s.browse("GET", path, url.Values{"key": {"pk_live_makegood"}, "client_secret": {pi.ClientSecret}}); res.StatusCode != 404 {
		t.Errorf("the other mode: %d", res.StatusCode)
	}
	if res, _ := s.browse("GET", "/v1/charges", url.Values{"key": {"pk_test_makegood"}}); res.StatusCode != 401 {
		t.Errorf("charges: %d", res.StatusCode)
	}
	if res, _ := s.browse("OPTIONS", path+"/confirm", nil); res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("preflight: %d", res.StatusCode)
	}

	declined := url.Values{"key": form["key"], "client_secret": form["client_secret"], "payment_method": {"pm_card_chargeDeclined"}}
	res, body := s.browse("POST", path+"/confirm", declined)
	if res.StatusCode != 402 || strings.Contains(body, "order_id") || !strings.Contains(body, `"requires_payment_method"`) {
		t.Errorf("declined: %d %s", res.StatusCode, body)
	}
	confirm := url.Values{"key": form["key"], "client_secret": form["client_secret"], "payment_method_data[type]": {"card"},
		"payment_method_data[card][token]": {"tok_visa"}, "use_stripe_sdk": {"true"}}
	res, body = s.browse("POST", path+"/confirm", confirm)
	if res.StatusCode != 200 {
		t.Fatal(res.StatusCode, body)
	}
	var seen map[string]any
	if err := json.Unmarshal([]byte(body), &seen); err != nil {
		t.Fatal(err)
	}
	if seen["status"] != "succeeded" || seen["client_secret"] != pi.ClientSecret {
		t.Errorf("%v", seen)
	}
	for _, hidden := range []string{"metadata", "customer", "latest_charge", "amount_received", "invoice"} {
		if _, shown := seen[hidden]; shown {
			t.Errorf("a browser sees %s", hidden)
		}
	}
	if res, script := s.browse("GET", "/_sim/stripe.js", nil); !strings.Contains(script, "confirmCardPayment") || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/javascript") {
		t.Error("no script")
	}
}

func TestAuthenticationPage(t *testing.T) {
	s := start(t, stripesim.Config{})
	for outcome, want := range map[string]struct {
		status   stripe.PaymentIntentStatus
		redirect string
	}{
		"success": {stripe.PaymentIntentStatusSucceeded, "succeeded"},
		"fail":    {stripe.PaymentIntentStatusRequiresPaymentMethod, "failed"},
	} {
		for _, returnURL := range []string{"https://shop.example.com/back?order=7", ""} {
			pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(24900, "")))
			p := confirmWith("pm_card_authenticationRequired")
			if returnURL != "" {
				p.ReturnURL = stripe.String(returnURL)
			}
			pi = must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, p))
			page := s.url + "/_sim/3ds/" + pi.ID
			if !strings.Contains(string(pi.LastResponse.RawJSON), `"`+page+`"`) {
				t.Fatalf("%s", pi.LastResponse.RawJSON)
			}
			if _, html := s.browse("GET", page, nil); strings.Count(html, "<button") != 2 {
				t.Error(html)
			}
			res, html := s.browse("POST", page, url.Values{"outcome": {outcome}})
			got := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Get(pi.ID, nil))
			if got.Status != want.status {
				t.Errorf("%s: %s", outcome, got.Status)
			}
			if returnURL == "" {
				if res.StatusCode != 200 || !strings.Contains(html, "postMessage") {
					t.Errorf("%d %s", res.StatusCode, html)
				}
				continue
			}
			back, err := url.Parse(res.Header.Get("Location"))
			if err != nil || res.StatusCode != 303 {
				t.Fatal(res.StatusCode, err)
			}
			q := back.Query()
			if back.Host != "shop.example.com" || q.Get("order") != "7" || q.Get("redirect_status") != want.redirect ||
				q.Get("payment_intent") != pi.ID || q.Get("payment_intent_client_secret") != pi.ClientSecret {
				t.Errorf("%s", back)
			}
			if res, _ := s.browse("POST", page, url.Values{"outcome": {"success"}}); res.StatusCode != 409 {
				t.Errorf("a second answer: %d", res.StatusCode)
			}
		}
	}
}
