package simulation

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"makegood.example/deploy/internal/oneprocess"
)

// buyer is a person in a history.
type buyer struct {
	*oneprocess.Buyer
	plan    string
	request map[string]any // as it was made last; nil before
	orders  int
	tries   int // cards tried on a failed order
	page    string
	here    []time.Time // when they were in the shop
	renews  bool
}

func (h *history) buyer(n int) *buyer {
	b := h.buyers[n]
	if b == nil {
		b = &buyer{Buyer: h.w.Buyer("buyer-" + strconv.Itoa(n)), plan: "annual"}
		b.Reference = h.id("reference of buyer "+strconv.Itoa(n), 0)
		h.buyers[n] = b
	}
	return b
}

// act does what can be done as things stand.
func (h *history) act(s Step) {
	h.t.Helper()
	b := h.buyer(s.Buyer)
	switch s.Do {
	case Buys:
		h.place(b, map[string]any{"payment_method": s.Card})
	case BuysTwice:
		b.request = map[string]any{"payment_method": s.Card}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { h.send(b) })
		}
		both.Wait()
		h.tally.happened(Repeated)
	case BuysInJS:
		h.place(b, map[string]any{})
		for _, intent := range h.intents(b, "requires_payment_method") {
			h.w.Stripe.Try(http.MethodPost, "/v1/payment_intents/"+intent+"/confirm", url.Values{"payment_method": {s.Card}}, nil)
			h.tally.happened(InBrowser)
		}
	case BuysOnPage:
		h.place(b, map[string]any{"checkout": "HOSTED"})
	case Subscribes:
		b.plan, b.renews = "monthly-subscription", true
		h.place(b, map[string]any{})
	case PaysOnPage:
		h.payOnPage(b, s.Card)
	case Repeats:
		if b.request != nil {
			h.send(b)
			h.tally.happened(Repeated)
		}
	case BuysMore:
		b.orders++
		b.Reference = h.id("reference of "+b.Email, b.orders)
		h.place(b, map[string]any{"payment_method": s.Card, "allow_repeat": s.Card != visa})
		h.tally.happened(BoughtMore)
	case PaysAgain:
		b.tries++
		h.present(b)
		status, o := b.Asks(http.MethodPost, "/"+b.Reference+":pay", map[string]any{"attempt_id": h.id("attempt of "+b.Reference, b.tries), "payment_method": s.Card})
		h.answered(b, status, o)
	case Proves, FailsProof, ProvesAgain:
		h.prove(b, s.Do != FailsProof)
	case ComesBack:
		h.present(b)
		status, o := b.Asks(http.MethodPost, "/"+b.Reference+":confirm", map[string]any{})
		h.answered(b, status, o)
	case Waits:
	case PaysStranger:
		h.stranger()
	case GivesCard, PaysInvoice, RunsOut, Ends:
		h.change(b, s)
	default:
		h.giveBack(b, s)
	}
}

func (h *history) place(b *buyer, request map[string]any) {
	h.t.Helper()
	b.request = request
	h.send(b)
}

// send makes the buyer's request as it is.
func (h *history) send(b *buyer) {
	h.t.Helper()
	h.present(b)
	status, o, _ := b.Place(b.plan, b.request)
	h.answered(b, status, o)
}

func (h *history) present(b *buyer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b.here = append(b.here, h.w.Clock.Now())
}

// answered notes what the shop said, which must be so at Stripe.
func (h *history) answered(b *buyer, status int, o oneprocess.Order) {
	h.t.Helper()
	h.tell("  the shop answers %s %d %s %s", b.Email, status, o.State, o.NextAction.Type)
	if status == http.StatusPaymentRequired {
		h.tally.happened(Declined)
	}
	paid := o.State == "COMPLETE" || o.State == "RECOVERED"
	if paid && len(h.charges(b)) == 0 {
		h.violated("the shop says to %s that the order is %s, and Stripe has no charge", b.Email, o.State)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.NextAction.URL != "" {
		b.page = o.NextAction.URL
	}
}

// payOnPage pays where the order says, which the buyer may have to ask for.
func (h *history) payOnPage(b *buyer, card string) {
	h.t.Helper()
	for try := 0; b.page == "" && try < 3 && b.request != nil; try++ {
		h.send(b)
	}
	if b.page == "" {
		return
	}
	h.present(b)
	if b.TriesToPayOn(b.page, card) {
		h.tally.happened(OnPage)
	}
}

// prove is the buyer at the bank, wherever it asks.
func (h *history) prove(b *buyer, well bool) {
	h.t.Helper()
	outcome, what := "success", Authenticated
	if !well {
		outcome, what = "fail", Unproven
	}
	for _, intent := range h.intents(b, "requires_action") {
		h.present(b)
		if status, _ := h.w.Stripe.TryControl("/_sim/payment_intents/"+intent+"/authenticate", map[string]string{"outcome": outcome}); status < 300 {
			h.tally.happened(what)
		}
	}
}

// stranger pays something else on the same account.
func (h *history) stranger() {
	h.t.Helper()
	var customer struct{ ID string }
	h.w.Stripe.Post("/v1/customers", url.Values{"email": {"stranger@example.com"}}, &customer)
	h.w.Stripe.Post("/v1/payment_intents", url.Values{
		"amount": {"24900"}, "currency": {"usd"}, "confirm": {"true"}, "customer": {customer.ID},
		"payment_method": {visa}, "payment_method_types[]": {"card"}, "metadata[product]": {"another"},
	}, nil)
	h.tally.happened(Foreign)
}

// change does something to the subscription.
func (h *history) change(b *buyer, s Step) {
	h.t.Helper()
	for _, customer := range h.w.Stripe.Customers(b.Email) {
		for _, sub := range h.w.Stripe.Subscriptions(customer) {
			if slices.Contains([]string{"canceled", "incomplete", "incomplete_expired"}, sub.Status) {
				continue
			}
			path := "/v1/subscriptions/" + sub.ID
			switch s.Do {
			case GivesCard:
				h.w.Stripe.GiveCard(sub, s.Card)
			case RunsOut:
				h.w.Stripe.Try(http.MethodPost, path, url.Values{"cancel_at_period_end": {"true"}}, nil)
				h.tally.happened(Canceled)
			case Ends:
				h.w.Stripe.Try(http.MethodDelete, path, nil, nil)
				h.tally.happened(Canceled)
			case PaysInvoice:
				for _, inv := range h.w.Stripe.Invoices(sub.ID) {
					if inv.Status == "open" {
						h.present(b)
						h.w.Stripe.PayInvoice(inv.ID, s.Card)
					}
				}
			}
		}
	}
}
