package simulation

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"makegood.example/deploy/internal/oneprocess"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// wish is a refund that a colleague asks for until it is answered.
type wish struct {
	order, id string
	answered  bool
}

// giveBack moves money back, or tries to.
func (h *history) giveBack(b *buyer, s Step) {
	h.t.Helper()
	charges := h.charges(b)
	if len(charges) == 0 {
		return
	}
	c := charges[0]
	switch s.Do {
	case Refund, RefundPart:
		form := url.Values{"charge": {c.ID}}
		if s.Do == RefundPart {
			form.Set("amount", "500")
		}
		if h.w.Stripe.Try(http.MethodPost, "/v1/refunds", form, nil) < 300 {
			h.tally.happened(RefundedThere)
		}
	case RefundByUs:
		if order := h.orderOf(c.ID); order != "" {
			h.wishes = append(h.wishes, wish{order: order, id: h.id("refund of "+order, len(h.wishes))})
			h.ask(&h.wishes[len(h.wishes)-1])
			h.tally.happened(RefundedHere)
		}
	case RefundBounce:
		var made struct{ Data []struct{ ID string } }
		h.w.Stripe.Get("/v1/refunds", url.Values{"charge": {c.ID}}, &made)
		if len(made.Data) == 0 {
			return
		}
		if status, _ := h.w.Stripe.TryControl("/_sim/refunds/"+made.Data[0].ID+"/fail", map[string]string{"reason": "declined"}); status < 300 {
			h.tally.happened(RefundFailed)
		}
	case Dispute:
		if status, _ := h.w.Stripe.TryControl("/_sim/charges/"+c.ID+"/dispute", map[string]string{}); status < 300 {
			h.tally.happened(Disputed)
		}
	case Wins, Loses:
		var open struct{ Data []struct{ ID string } }
		h.w.Stripe.Get("/v1/disputes", url.Values{"charge": {c.ID}}, &open)
		for _, d := range open.Data {
			outcome := map[Act]string{Wins: "won", Loses: "lost"}[s.Do]
			if status, _ := h.w.Stripe.TryControl("/_sim/disputes/"+d.ID+"/close", map[string]string{"outcome": outcome}); status < 300 {
				h.tally.happened(DisputeOver)
			}
		}
	}
}

// ask asks Payments for a refund as a colleague does; the same wish is one refund.
func (h *history) ask(x *wish) {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+h.w.Credentials()["support"])
	_, err := paymentsv1.NewPaymentsAdminServiceClient(h.w.Conn("payments", "")).RefundPayment(ctx, &paymentsv1.RefundPaymentRequest{
		OrderId: x.order, RefundId: x.id, Reason: "the customer asked for it",
	})
	x.answered = err == nil
	h.tell("  support asks for the refund of %s: %v", x.order, err)
}

// repeatWishes is what the colleague does when everything works again.
func (h *history) repeatWishes() {
	for i := range h.wishes {
		if !h.wishes[i].answered {
			h.ask(&h.wishes[i])
		}
	}
}

// charges are those of a buyer that were paid, newest first.
func (h *history) charges(b *buyer) (paid []oneprocess.Charge) {
	h.t.Helper()
	for _, customer := range h.w.Stripe.Customers(b.Email) {
		for _, c := range h.w.Stripe.Charges(customer) {
			if c.Status == "succeeded" {
				paid = append(paid, c)
			}
		}
	}
	return paid
}

// intents are those of a buyer with a status.
func (h *history) intents(b *buyer, status string) (found []string) {
	h.t.Helper()
	for _, customer := range h.w.Stripe.Customers(b.Email) {
		var page struct {
			Data []struct{ ID, Status string }
		}
		h.w.Stripe.Get("/v1/payment_intents", url.Values{"customer": {customer}, "limit": {"100"}}, &page)
		for _, i := range page.Data {
			if i.Status == status {
				found = append(found, i.ID)
			}
		}
	}
	return found
}

// orderOf is the order that a charge paid, as the records have it by now.
func (h *history) orderOf(charge string) (order string) {
	h.t.Helper()
	row := h.w.DB.QueryRow(h.t.Context(), `SELECT coalesce(max(order_id::text), '') FROM payments.payments WHERE charge_id = $1`, charge)
	if err := row.Scan(&order); err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(order)
}
