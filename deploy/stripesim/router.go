package stripesim

import "net/http"

// call is one API request while its handler runs; the server's mutex is held.
type call struct {
	*tx
	r                *http.Request
	params           *params
	invented         []*Price // that the parameters describe
	inventedProducts []*Product
	publishable      bool // the caller is a browser that knows one client secret
}

type handler func(*call) (any, *Error)

// route is one operation of the API. answers is the kind of its result, for
// expand; "list:kind" for a page.
type route struct {
	pattern string
	answers string
	handle  handler
}

var apiRoutes = []route{
	{"POST /v1/customers", "customer", createCustomer},
	{"GET /v1/customers", "list:customer", listCustomers},
	{"GET /v1/customers/{id}", "customer", retrieveCustomer},
	{"POST /v1/customers/{id}", "customer", updateCustomer},
	{"DELETE /v1/customers/{id}", "customer", deleteCustomer},

	{"POST /v1/payment_methods", "payment_method", createPaymentMethod},
	{"GET /v1/payment_methods", "list:payment_method", listPaymentMethods},
	{"GET /v1/payment_methods/{id}", "payment_method", retrievePaymentMethod},
	{"POST /v1/payment_methods/{id}/attach", "payment_method", attachPaymentMethod},
	{"POST /v1/payment_methods/{id}/detach", "payment_method", detachPaymentMethod},

	{"POST /v1/payment_intents", "payment_intent", createPaymentIntent},
	{"GET /v1/payment_intents", "list:payment_intent", listPaymentIntents},
	{"GET /v1/payment_intents/{id}", "payment_intent", retrievePaymentIntent},
	{"POST /v1/payment_intents/{id}", "payment_intent", updatePaymentIntent},
	{"POST /v1/payment_intents/{id}/confirm", "payment_intent", confirmPaymentIntent},
	{"POST /v1/payment_intents/{id}/cancel", "payment_intent", cancelPaymentIntent},

	{"GET /v1/charges", "list:charge", listCharges},
	{"GET /v1/charges/{id}", "charge", retrieveCharge},
	{"POST /v1/charges/{id}", "charge", updateCharge},

	{"POST /v1/refunds", "refund", createRefund},
	{"GET /v1/refunds", "list:refund", listRefunds},
	{"GET /v1/refunds/{id}", "refund", retrieveRefund},
	{"POST /v1/refunds/{id}", "refund", updateRefund},

	{"GET /v1/disputes", "list:dispute", listDisputes},
	{"GET /v1/disputes/{id}", "dispute", retrieveDispute},
	{"POST /v1/disputes/{id}", "dispute", updateDispute},
	{"POST /v1/disputes/{id}/close", "dispute", closeDispute},

	{"GET /v1/radar/early_fraud_warnings", "list:radar.early_fraud_warning", listWarnings},
	{"GET /v1/radar/early_fraud_warnings/{id}", "radar.early_fraud_warning", retrieveWarning},

	{"GET /v1/balance_transactions", "list:balance_transaction", listBalance},
	{"GET /v1/balance_transactions/{id}", "balance_transaction", retrieveBalance},
	{"GET /v1/balance/history", "list:balance_transaction", listBalance},
	{"GET /v1/payouts", "list:payout", listPayouts},
	{"GET /v1/payouts/{id}", "payout", retrievePayout},

	{"POST /v1/products", "product", createProduct},
	{"GET /v1/products", "list:product", listProducts},
	{"GET /v1/products/{id}", "product", retrieveProduct},
	{"POST /v1/products/{id}", "product", updateProduct},
	{"POST /v1/prices", "price", createPrice},
	{"GET /v1/prices", "list:price", listPrices},
	{"GET /v1/prices/{id}", "price", retrievePrice},
	{"POST /v1/prices/{id}", "price", updatePrice},

	{"POST /v1/subscriptions", "subscription", createSubscription},
	{"GET /v1/subscriptions", "list:subscription", listSubscriptions},
	{"GET /v1/subscriptions/{id}", "subscription", retrieveSubscription},
	{"POST /v1/subscriptions/{id}", "subscription", updateSubscription},
	{"POST /v1/subscriptions/{id}/resume", "subscription", resumeSubscription},
	{"DELETE /v1/subscriptions/{id}", "subscription", cancelSubscription},

	{"POST /v1/invoiceitems", "invoiceitem", createInvoiceItem},
	{"GET /v1/invoices", "list:invoice", listInvoices},
	{"GET /v1/invoices/{id}", "invoice", retrieveInvoice},
	{"GET /v1/invoices/{id}/lines", "list:item", listInvoiceLines},
	{"POST /v1/invoices/{id}/pay", "invoice", payInvoiceNow},
	{"POST /v1/invoices/{id}/finalize", "invoice", finalizeInvoice},
	{"POST /v1/invoices/{id}/void", "invoice", voidInvoice},

	{"POST /v1/checkout/sessions", "checkout.session", createSession},
	{"GET /v1/checkout/sessions", "list:checkout.session", listSessions},
	{"GET /v1/checkout/sessions/{id}", "checkout.session", retrieveSession},
	{"POST /v1/checkout/sessions/{id}/expire", "checkout.session", expireSessionNow},
	{"GET /v1/checkout/sessions/{id}/line_items", "list:item", listLineItems},

	{"GET /v1/events", "list:event", listEvents},
	{"GET /v1/events/{id}", "event", retrieveEvent},

	{"/v1/", "", unknownURL},
}

func unknownURL(c *call) (any, *Error) {
	return nil, &Error{status: http.StatusNotFound, Type: typeInvalidRequest, unstored: true,
		Message: "Unrecognized request URL (" + c.r.Method + ": " + c.r.URL.Path + ")."}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range apiRoutes {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) { s.serveAPI(w, r, rt) })
	}
	mux.HandleFunc("OPTIONS /v1/", func(w http.ResponseWriter, _ *http.Request) {
		allowBrowsers(w.Header())
		w.WriteHeader(http.StatusNoContent)
	})
	s.controlRoutes(mux)
	s.pageRoutes(mux)
	return forLocalPages(mux)
}
