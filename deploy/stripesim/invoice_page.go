package stripesim

import (
	_ "embed" // the page
	"html/template"
	"net/http"
)

var (
	//go:embed pages/invoice.html
	invoiceHTML string
	invoicePage = template.Must(template.New("invoice").Parse(invoiceHTML))
)

type invoiceView struct {
	Invoice *Invoice
	Methods any
	Message string
	Open    bool
	Bank    string // where 3-D Secure waits
}

func (s *Server) viewInvoice(w *world, inv *Invoice) invoiceView {
	v := invoiceView{Invoice: inv, Methods: hostedMethods, Open: inv.Status == "open"}
	if pi, ok := w.paymentIntents.get(string(inv.PaymentIntent)); ok {
		if pi.LastPaymentError != nil {
			v.Message = pi.LastPaymentError.Message
		}
		if pi.Status == requiresAction {
			v.Bank = s.page("3ds/" + pi.ID)
		}
		v.Open = v.Open && pi.Status != processing
	}
	return v
}

// findInvoice looks in both modes. The mutex is held.
func (s *Server) findInvoice(id string) (*tx, *Invoice) {
	for _, w := range s.worlds {
		if inv, ok := w.invoices.get(id); ok {
			return s.newTx(w), inv
		}
	}
	return nil, nil
}

func (s *Server) showInvoice(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = r.Host
	t, inv := s.findInvoice(r.PathValue("id"))
	if inv == nil {
		http.NotFound(w, r)
		return
	}
	showPage(w, http.StatusOK, invoicePage, s.viewInvoice(t.w, inv))
}

// payInvoicePage is the customer who pays with another method, which the
// subscription keeps.
func (s *Server) payInvoicePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = r.Host
	t, inv := s.findInvoice(r.PathValue("id"))
	if inv == nil {
		http.NotFound(w, r)
		return
	}
	m, known := testMethodByID(r.PostFormValue("payment_method"))
	if !known || !s.viewInvoice(t.w, inv).Open {
		showPage(w, http.StatusConflict, invoicePage, s.viewInvoice(t.w, inv))
		return
	}
	pm := t.newPaymentMethod(m)
	failed := t.payInvoice(inv, confirmation{billing: true, method: pm, returnURL: s.page("invoices/" + inv.ID)})
	if sub, ok := t.w.subscriptions.get(string(inv.Subscription)); ok && failed == nil && pm.Customer == inv.Customer {
		t.turn(sub, func() { sub.DefaultPaymentMethod = NullString(pm.ID) })
	}
	if err := t.commit(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	v := s.viewInvoice(t.w, inv)
	if v.Bank != "" {
		http.Redirect(w, r, v.Bank, http.StatusSeeOther)
		return
	}
	showPage(w, http.StatusOK, invoicePage, v)
}
