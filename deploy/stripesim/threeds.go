package stripesim

import (
	_ "embed" // the pages and the script
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"makegood.example/services/platform/money"
)

// askForAuthentication sends the customer to 3-D Secure: to a page when there is
// an address to come back to, else into Stripe.js.
func (t *tx) askForAuthentication(pi *PaymentIntent, how confirmation) {
	page := t.s.page("3ds/" + pi.ID)
	pi.Status, pi.LastPaymentError = requiresAction, nil
	if how.returnURL != "" && !how.useSDK {
		pi.NextAction = &nextAction{Type: "redirect_to_url", RedirectToURL: &redirectToURL{ReturnURL: how.returnURL, URL: page}}
	} else {
		pi.NextAction = &nextAction{Type: "use_stripe_sdk", UseStripeSDK: map[string]any{
			"type": "three_d_secure_redirect", "stripe_js": page, "source": newID("src_", 24)}}
	}
	save(t, t.w.paymentIntents, pi)
	t.emit("payment_intent.requires_action", pi, nil)
	t.follow(pi)
}

// page is the address of one of our pages.
func (s *Server) page(path string) string { return "http://" + s.host + "/_sim/" + path }

var (
	//go:embed pages/3ds.html
	threeDSHTML string
	threeDSPage = template.Must(template.New("3ds").Parse(threeDSHTML))
	//go:embed pages/stripe.js
	stripeJS []byte
)

// pageRoutes are what a customer's browser opens.
func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/3ds/{id}", s.showAuthentication)
	mux.HandleFunc("POST /_sim/3ds/{id}", s.finishAuthentication)
	mux.HandleFunc("GET /_sim/checkout/{id}", s.showCheckout)
	mux.HandleFunc("POST /_sim/checkout/{id}", s.payCheckout)
	mux.HandleFunc("GET /_sim/invoices/{id}", s.showInvoice)
	mux.HandleFunc("POST /_sim/invoices/{id}", s.payInvoicePage)
	for _, path := range []string{"/_sim/stripe.js", "/v3"} { // the latter is where Stripe has its own
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			_, _ = w.Write(stripeJS)
		})
	}
}

func showPage(w http.ResponseWriter, status int, page *template.Template, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = page.Execute(w, data) // the browser went away
}

type threeDSView struct {
	ID, Status, Amount string
	Waiting            bool
}

func viewAuthentication(pi *PaymentIntent) threeDSView {
	return threeDSView{pi.ID, pi.Status, money.Display(pi.Amount, strings.ToUpper(pi.Currency)), pi.Status == requiresAction}
}

// findIntent looks in both modes: a page has no key. The mutex is held.
func (s *Server) findIntent(id string) (*world, *PaymentIntent) {
	for _, w := range s.worlds {
		if pi, ok := w.paymentIntents.get(id); ok {
			return w, pi
		}
	}
	return nil, nil
}

func (s *Server) showAuthentication(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, pi := s.findIntent(r.PathValue("id"))
	if pi == nil {
		http.NotFound(w, r)
		return
	}
	showPage(w, http.StatusOK, threeDSPage, viewAuthentication(pi))
}

// finishAuthentication takes the customer's answer and sends the browser back to
// the shop; inside Stripe.js the page itself tells the shop.
func (s *Server) finishAuthentication(w http.ResponseWriter, r *http.Request) {
	outcome := r.PostFormValue("outcome")
	s.mu.Lock()
	defer s.mu.Unlock()
	mode, pi := s.findIntent(r.PathValue("id"))
	if pi == nil {
		http.NotFound(w, r)
		return
	}
	if pi.Status != requiresAction || outcome != "success" && outcome != "fail" {
		showPage(w, http.StatusConflict, threeDSPage, viewAuthentication(pi))
		return
	}
	var back string
	if pi.NextAction != nil && pi.NextAction.RedirectToURL != nil {
		back = pi.NextAction.RedirectToURL.ReturnURL
	}
	t := s.newTx(mode)
	t.authenticate(pi, outcome == "success")
	if err := t.commit(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if target := returnAddress(back, pi); target != "" {
		http.Redirect(w, r, target, http.StatusSeeOther)
		return
	}
	showPage(w, http.StatusOK, threeDSPage, viewAuthentication(pi))
}

// returnAddress is the shop's address with what Stripe appends to it.
func returnAddress(back string, pi *PaymentIntent) string {
	target, err := url.Parse(back)
	if back == "" || err != nil {
		return ""
	}
	status := map[string]string{succeeded: "succeeded", processing: "pending"}[pi.Status]
	if status == "" {
		status = "failed"
	}
	q := target.Query()
	q.Set("payment_intent", pi.ID)
	q.Set("payment_intent_client_secret", pi.ClientSecret)
	q.Set("redirect_status", status)
	target.RawQuery = q.Encode()
	return target.String()
}
