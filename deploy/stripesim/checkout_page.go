package stripesim

import (
	_ "embed" // the page
	"html/template"
	"net/http"
	"strings"
)

var (
	//go:embed pages/checkout.html
	checkoutHTML string
	checkoutPage = template.Must(template.New("checkout").Parse(checkoutHTML))
)

// hostedMethods are the buttons of the hosted page.
var hostedMethods = []struct{ ID, Label string }{
	{"pm_card_visa", "Pay"},
	{"pm_card_chargeDeclined", "Pay with a card that is declined"},
	{"pm_card_authenticationRequired", "Pay with 3-D Secure"},
	{"pm_usBankAccount_success", "Pay by bank debit (settles later)"},
	{"pm_usBankAccount_failure", "Pay by bank debit (fails later)"},
}

type checkoutView struct {
	Session   *CheckoutSession
	Items     []*lineItem
	Methods   any
	AskEmail  bool
	Message   string
	Open      bool
	Cancel    template.URL
	Recurring bool
	Promotion bool
}

func viewCheckout(cs *CheckoutSession, message string) checkoutView {
	return checkoutView{Session: cs, Items: cs.hidden.Items, Methods: hostedMethods, AskEmail: cs.Customer == "" && cs.CustomerEmail == "",
		Message: message, Open: cs.Status == sessionOpen, Cancel: template.URL(cs.CancelURL), Recurring: cs.Mode == modeSubscribe,
		Promotion: cs.AllowPromotionCodes != nil && *cs.AllowPromotionCodes}
}

// findSession looks in both modes. The mutex is held.
func (s *Server) findSession(id string) (*tx, *CheckoutSession) {
	for _, w := range s.worlds {
		if cs, ok := w.sessions.get(id); ok {
			return s.newTx(w), cs
		}
	}
	return nil, nil
}

func (s *Server) showCheckout(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(s.now())
	_, cs := s.findSession(r.PathValue("id"))
	if cs == nil {
		http.NotFound(w, r)
		return
	}
	message := ""
	if pi, ok := s.intentOf(cs); ok && pi.LastPaymentError != nil {
		message = pi.LastPaymentError.Message
	}
	if cs.Status == sessionComplete && r.URL.Query().Get("redirect_status") != "" { // back from 3-D Secure
		http.Redirect(w, r, cs.success(), http.StatusSeeOther)
		return
	}
	showPage(w, http.StatusOK, checkoutPage, viewCheckout(cs, message))
}

func (s *Server) intentOf(cs *CheckoutSession) (*PaymentIntent, bool) {
	return s.worlds[cs.Livemode].paymentIntents.get(string(cs.PaymentIntent))
}

// payCheckout is a press of one of the page's buttons.
func (s *Server) payCheckout(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = r.Host
	s.runDue(s.now())
	t, cs := s.findSession(r.PathValue("id"))
	if cs == nil {
		http.NotFound(w, r)
		return
	}
	m, known := testMethodByID(r.PostFormValue("payment_method"))
	if !known {
		showPage(w, http.StatusBadRequest, checkoutPage, viewCheckout(cs, "Unknown payment method."))
		return
	}
	failed := t.paySession(cs, sessionPayment{method: t.newPaymentMethod(m), email: r.PostFormValue("email"), name: r.PostFormValue("name"), promotion: strings.TrimSpace(r.PostFormValue("promotion_code")),
		returnURL: s.page("checkout/" + cs.ID)})
	if err := t.commit(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if failed != nil {
		showPage(w, failed.status, checkoutPage, viewCheckout(cs, failed.Message))
		return
	}
	target := cs.success()
	if pi, ok := s.intentOf(cs); ok && pi.Status == requiresAction {
		target = pi.NextAction.RedirectToURL.URL
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// controlComplete is the same without a browser; 3-D Secure is answered at once.
func (s *Server) controlComplete(w http.ResponseWriter, r *http.Request) {
	in := struct {
		PaymentMethod  string `json:"payment_method"`
		Email          string `json:"email"`
		Name           string `json:"name"`
		Authentication string `json:"authentication"` // success or fail
		PromotionCode  string `json:"promotion_code"`
	}{PaymentMethod: "pm_card_visa", Name: "Jane Doe", Authentication: "success"}
	if r.ContentLength != 0 && !read(w, r, &in) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(s.now())
	t, cs := s.findSession(r.PathValue("id"))
	m, known := testMethodByID(in.PaymentMethod)
	switch {
	case cs == nil:
		refuse(w, http.StatusNotFound, "no such object")
		return
	case !known:
		refuse(w, http.StatusBadRequest, "payment_method must be a test id such as pm_card_visa")
		return
	}
	failed := t.paySession(cs, sessionPayment{method: t.newPaymentMethod(m), email: in.Email, name: in.Name, promotion: in.PromotionCode, fails3DS: in.Authentication == "fail"})
	if err := t.commit(); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	if failed != nil {
		answer(w, http.StatusPaymentRequired, map[string]any{"error": failed.Message, "code": failed.Code, "decline_code": failed.DeclineCode, "session": cs})
		return
	}
	answer(w, http.StatusOK, cs)
}
