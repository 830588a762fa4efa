package stripesim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// sessionOf finds the session that a payment intent pays.
func (w *world) sessionOf(pi *PaymentIntent) *CheckoutSession {
	for _, found := range [][]*CheckoutSession{w.sessions.by("payment_intent", sessionIntent, pi.ID), w.sessions.by("invoice", sessionInvoice, string(pi.Invoice))} {
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return nil
}

// expireSession ends a session that nobody completed.
func (t *tx) expireSession(id string) {
	cs, ok := t.w.sessions.get(id)
	if !ok || cs.Status != sessionOpen {
		return
	}
	t.unschedule("session", id)
	cs.Status, cs.URL = sessionExpired, ""
	save(t, t.w.sessions, cs)
	if pi, ok := t.w.paymentIntents.get(string(cs.PaymentIntent)); ok && pi.Status != canceled && pi.Status != succeeded {
		t.cancelIntent(pi, "automatic")
	}
	t.emit("checkout.session.expired", cs, nil)
}

// sessionPayment is what a customer does on the hosted page.
type sessionPayment struct {
	method    *PaymentMethod
	promotion string
	email     string
	name      string
	returnURL string // where 3-D Secure comes back to; empty: the customer answers at once
	fails3DS  bool
}

// paySession is the customer's attempt: an error is what the page shows, and the
// session stays open.
func (t *tx) paySession(cs *CheckoutSession, pay sessionPayment) *Error {
	if cs.Status != sessionOpen {
		return errState("", "", "This Checkout Session is %s.", cs.Status)
	}
	if !slices.Contains(cs.PaymentMethodTypes, pay.method.Type) {
		return errState("", "payment_method", "The session does not take a %s.", pay.method.Type)
	}
	if err := t.redeem(cs, pay.promotion); err != nil {
		return err
	}
	t.identify(cs, &pay)
	pay.method.BillingDetails.Email, pay.method.BillingDetails.Name = cs.CustomerDetails.Email, cs.CustomerDetails.Name
	if cs.Mode == modeSubscribe {
		return t.paySubscription(cs, pay)
	}
	if cs.AmountTotal == 0 {
		t.completeSession(cs, paymentNotYet)
		return nil
	}
	pi, ok := t.w.paymentIntents.get(string(cs.PaymentIntent))
	if ok && pi.Amount != cs.AmountTotal {
		pi.Amount = cs.AmountTotal
	}
	if !ok {
		pi = t.newIntent(cs.AmountTotal, cs.Currency, cs.Customer)
		pi.Metadata, pi.Description = cloneMetadata(cs.hidden.Metadata), cs.hidden.Description
		pi.ReceiptEmail, pi.SetupFutureUsage, pi.PaymentMethodTypes = cs.hidden.ReceiptEmail, cs.hidden.FutureUsage, cs.PaymentMethodTypes
		save(t, t.w.paymentIntents, pi)
		cs.PaymentIntent = NullString(pi.ID)
		t.emit("payment_intent.created", pi, nil)
	}
	if cs.CustomerCreation == "always" && cs.Customer == "" {
		cs.Customer = t.customerOf(cs)
		pi.Customer = cs.Customer
	}
	save(t, t.w.sessions, cs)
	save(t, t.w.paymentMethods, pay.method)
	pi.PaymentMethod = NullString(pay.method.ID)
	if _, err := t.confirm(pi, confirmation{returnURL: pay.returnURL}); err != nil {
		return err
	}
	if pi.Status == requiresAction && pay.returnURL == "" {
		t.authenticate(pi, !pay.fails3DS)
		if pi.LastPaymentError != nil {
			return pi.LastPaymentError
		}
	}
	return nil
}

// identify notes who pays.
func (t *tx) identify(cs *CheckoutSession, pay *sessionPayment) {
	d := &customerDetails{Email: NullString(pay.email), Name: NullString(pay.name), TaxExempt: "none", TaxIDs: []any{}}
	if cs.CustomerEmail != "" {
		d.Email = cs.CustomerEmail
	}
	if cus, ok := t.w.customers.get(string(cs.Customer)); ok {
		if cus.Email != "" {
			d.Email = cus.Email
		}
		if cus.Name != "" {
			d.Name = cus.Name
		}
	}
	cs.CustomerDetails = d
}

// customerOf makes the customer that a session brings.
func (t *tx) customerOf(cs *CheckoutSession) NullString {
	cus := t.newCustomer()
	cus.Email, cus.Name = cs.CustomerDetails.Email, cs.CustomerDetails.Name
	save(t, t.w.customers, cus)
	t.emit("customer.created", cus, nil)
	return NullString(cus.ID)
}

// paySubscription subscribes the customer. A card that will decline makes
// nothing: Stripe, too, shows no subscription before it is paid.
func (t *tx) paySubscription(cs *CheckoutSession, pay sessionPayment) *Error {
	pm, free := pay.method, cs.AmountTotal == 0
	m := pm.behaviour()
	if m.authenticate && pay.fails3DS {
		return &Error{status: http.StatusPaymentRequired, Type: typeInvalidRequest, Code: "payment_intent_authentication_failure", Message: authenticationFailed}
	}
	if m.decline.code != "" && !m.async && !free || m.failsOnAttach {
		return m.decline.asError()
	}
	if cs.Customer == "" {
		cs.Customer = t.customerOf(cs)
	}
	save(t, t.w.paymentMethods, pm)
	if pm.Customer == "" {
		pm.Customer = cs.Customer
		t.emit("payment_method.attached", pm, nil)
	}
	var items []pricedItem
	for _, li := range cs.hidden.Items {
		if li.Price.Recurring != nil {
			items = append(items, pricedItem{li.Price, li.Description, li.Quantity, map[string]string{}})
		}
	}
	sub := t.newSubscription(cs.Customer, items)
	sub.Metadata, sub.Description, sub.DefaultPaymentMethod = cloneMetadata(cs.hidden.Metadata), cs.hidden.Description, NullString(pm.ID)
	sub.Discount = cs.hidden.Discount
	if days := cs.hidden.TrialPeriodDays; days > 0 {
		sub.setTrial(t.now.Unix(), t.now.Add(time.Duration(days)*24*time.Hour).Unix())
	} else if cs.hidden.TrialEnd > 0 {
		sub.setTrial(t.now.Unix(), cs.hidden.TrialEnd)
	}
	t.subscribe(sub, false, confirmation{billing: true, authenticated: true})
	cs.Subscription, cs.Invoice = NullString(sub.ID), sub.LatestInvoice
	inv, _ := t.w.invoices.get(string(sub.LatestInvoice))
	status := paymentUnpaid
	switch {
	case free:
		status = paymentNotYet
	case inv.Paid:
		status = paymentPaid
	}
	t.completeSession(cs, status)
	return nil
}

func (t *tx) completeSession(cs *CheckoutSession, paymentStatus string) {
	t.unschedule("session", cs.ID)
	cs.Status, cs.PaymentStatus, cs.URL = sessionComplete, paymentStatus, ""
	save(t, t.w.sessions, cs)
	t.emit("checkout.session.completed", cs, nil)
}

// sessionFollows is told what became of the session's payment.
func (t *tx) sessionFollows(cs *CheckoutSession, pi *PaymentIntent) {
	switch {
	case cs.Status == sessionOpen && pi.Status == succeeded:
		t.completeSession(cs, paymentPaid)
	case cs.Status == sessionOpen && pi.Status == processing:
		t.completeSession(cs, paymentUnpaid)
	case cs.Status == sessionComplete && cs.PaymentStatus == paymentUnpaid && pi.Status == succeeded:
		cs.PaymentStatus = paymentPaid
		save(t, t.w.sessions, cs)
		t.emit("checkout.session.async_payment_succeeded", cs, nil)
	case cs.Status == sessionComplete && cs.PaymentStatus == paymentUnpaid && pi.Status == requiresPaymentMethod:
		t.emit("checkout.session.async_payment_failed", cs, nil)
	}
}

// success is where the customer goes when the session is complete.
func (cs *CheckoutSession) success() string {
	return strings.ReplaceAll(string(cs.SuccessURL), "{CHECKOUT_SESSION_ID}", cs.ID)
}
