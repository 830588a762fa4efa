// Package stripesim is a stateful Stripe for development and tests: the part of
// the API (version 2023-10-16) that Makegood uses, with Stripe's state machines,
// idempotency keys, events and signed webhooks, hosted pages, and faults on
// demand.
//
// A request passes router.go (which operation), serve.go (transport faults, keys,
// replies), idempotency.go (the stored first result) and then the handler in the
// file of its resource. A handler reads its parameters, calls finish, and only
// then changes objects through save; one line of journal per request makes the
// change durable. What happens later by itself is a timer (timers.go), dated at
// its own time. A payment tells its invoice or Checkout Session through follow
// (invoice_pay.go). A new resource is a file with its type and handlers, a
// collection in store.go and its rows in router.go; the fields that can be
// expanded are in render.go, the shapes of other API versions in versions.go.
//
// What Stripe does not have is under /_sim/ (control.go), takes and gives JSON,
// and needs no key:
//
//	GET    /_sim/healthz
//	GET    /_sim/state?livemode=      every object of the account, by kind, oldest first
//	GET    /_sim/requests             the last thousand API requests
//	POST   /_sim/reset                a new account
//	GET    /_sim/clock                the account's time
//	POST   /_sim/clock                {"advance":"720h"} or {"now":"2027-01-01T00:00:00Z"}: what falls due on the way happens
//	GET    /_sim/faults               with hits, and how many requests each holds
//	POST   /_sim/faults               {"method":"POST","path":"/v1/payment_intents/*/confirm","mode":"hang_after","times":1}
//	                                  also "query":"starting_after=*", "skip":n, and "mode":"truncate" with "truncate":bytes
//	DELETE /_sim/faults[/{id}]        removes, and releases what is held
//	POST   /_sim/seed/charges         {"count":1000000,"from":…,"to":…,"metadata":{"order_id":"{n12}"}}; seed.go has the fields
//	GET    /_sim/webhooks             settings and deliveries
//	POST   /_sim/webhooks             {"paused":true} or {"api_version":"2025-10-29.clover"} or {"retry_max_ms":1000}; what is not named stays as it is
//	POST   /_sim/webhooks/deliver     {"event_id":"evt_…"} once more, now
//	GET    /_sim/3ds/{id}             the bank's page, where next_action points
//	GET    /_sim/stripe.js, /v3       a small Stripe.js: elements with a card, createPaymentMethod, confirmCardPayment,
//	                                  handleNextAction, retrievePaymentIntent
//	POST   /_sim/payment_intents/{id}/authenticate   {"outcome":"success"} or "fail": the end of 3-D Secure
//	POST   /_sim/payment_intents/{id}/settle         {"outcome":"success"} or "failure": a slow debit is decided now
//	GET    /_sim/invoices/{id}        the hosted page of an invoice, where hosted_invoice_url points
//	GET    /_sim/checkout/{id}        the hosted page, where a session's url points
//	POST   /_sim/checkout/{id}/complete              {"payment_method":"pm_card_visa","email":"…","authentication":"success","promotion_code":"SAVE20"}; 402 when refused
//	POST   /_sim/refunds/{id}/fail                   {"reason":"unknown"}: the money comes back
//	POST   /_sim/refunds/{id}/succeed                of a pending one
//	POST   /_sim/charges/{id}/dispute                {"reason":"fraudulent","amount":0}; 0 is all of it
//	POST   /_sim/disputes/{id}/close                 {"outcome":"won"} or "lost", with "put_back" for a part
//	POST   /_sim/charges/{id}/early_fraud_warning    {"fraud_type":"misc"}
//	GET    /_sim/settings             of the account
//	POST   /_sim/settings             {"async_settle_hours":72,"refund_hours":120,"retry_hours":[72,120,168],"after_retries":"cancel"}; what is not named stays as it is
//
// Faults and settings are in memory; objects, idempotency keys, timers, the
// clock and deliveries are in the journal. All that depends on time follows the
// account's clock, except webhooks, whose signatures and retries are real.
// The package never imports stripe-go, so that its tests, which do, compare two
// independent readings of the API.
package stripesim
