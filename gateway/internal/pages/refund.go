package pages

import (
	"context"
	"net/http"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

// refundTimeout is how long a reader waits for the request to be written down.
const refundTimeout = 10 * time.Second

// maxToken is the longest token that the contract knows.
const maxToken = 128

// offered says whether the reader may still take a refund that was offered.
// Whether the link is the one of the offer, only Orders knows, when it is asked.
func offered(order *ordersv1.Order, now time.Time) bool {
	until := order.GetRefundOfferUntil()
	return until != nil && now.Before(until.AsTime())
}

// paid says whether there is money that a link of ours could have been about.
func paid(order *ordersv1.Order) bool {
	switch order.GetState() {
	case ordersv1.Order_CHARGED, ordersv1.Order_ORPHANED, ordersv1.Order_COMPLETE, ordersv1.Order_RECOVERED:
		return order.GetRefundAskedAt() == nil
	}
	return false
}

// askView asks whether to refund, and says what happens with the access. Opening
// it changes nothing: mail programs open links too.
func askView(cfg Config, order *ordersv1.Order, reference, token string) view {
	v := blankView(cfg, reference)
	w := text.Refund.Ask
	if order.GetState() == ordersv1.Order_COMPLETE || order.GetState() == ordersv1.Order_RECOVERED {
		w = text.Refund.AskReady
	}
	v.say(w, orderValues(cfg, order))
	v.News, v.Sign = !Rests(order), signBack
	label := text.Refund.ConfirmBare
	if amount := order.GetAmountDisplay(); amount != "" {
		label = plain(text.Refund.Confirm, map[string]string{"amount": amount})
	}
	v.Form = &form{Reference: reference, Token: token, Label: label, Amount: order.GetAmountDisplay()}
	v.Actions = []action{{"keep", v.Here, text.Refund.Keep, false}}
	return v
}

// refund hands the reader's request to Orders, and then shows how the order
// stands at an address without the token, which a reload does not send again.
func (s *status) refund(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	reference, ok := readReference(r.PostFormValue("ref"))
	if !ok {
		write(w, http.StatusBadRequest, newView(s.Config, noReference, ""))
		return
	}
	token := r.PostFormValue("refund")
	if token == "" || len(token) > maxToken || !fromHere(r) {
		s.answer(w, http.StatusForbidden, text.Refund.NotOffered, reference, "")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), refundTimeout)
	defer cancel()
	_, err := s.orders.RefundOrder(ctx, &ordersv1.RefundOrderRequest{Reference: reference, Token: token})
	if err == nil {
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, statusPage(reference), http.StatusSeeOther)
		return
	}
	s.Log.InfoContext(ctx, "a refund that was asked for was not taken", "reference_short", short(reference), "code", apperr.CodeOf(err).String(), "reason", reasonOf(err))
	switch reasonOf(err) {
	case "REFUND_NOT_OFFERED", "ORDER_NOT_FOUND", "INVALID_ARGUMENT":
		s.answer(w, http.StatusForbidden, text.Refund.NotOffered, reference, "")
	case "INVALID_STATE":
		s.answer(w, http.StatusConflict, text.Refund.NotNow, reference, "")
	default:
		s.answer(w, http.StatusServiceUnavailable, text.Refund.Unsure, reference, token)
	}
}

// answer says what became of a request that was not taken; with a token, it can
// be sent again.
func (s *status) answer(w http.ResponseWriter, httpStatus int, said words, reference, token string) {
	write(w, httpStatus, answerView(s.Config, said, reference, token))
}

func answerView(cfg Config, said words, reference, token string) view {
	v := blankView(cfg, reference)
	v.say(said, nil)
	if token != "" {
		v.Form = &form{Reference: reference, Token: token, Label: text.Refund.Again}
		v.Tone, v.Sign = "wait", "wait"
	}
	v.Actions = []action{{"see", v.Here, text.Refund.See, token == ""}}
	return v
}

var crossOrigin = http.NewCrossOriginProtection()

// fromHere says that the form was ours: another site must not be able to send
// one, even with a token that it found. Because our pages send no referrer,
// browsers name no origin ("null"); all but old ones say where it came from in
// another header, and of the old ones the token is enough.
func fromHere(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true
	}
	return crossOrigin.Check(r) == nil
}
