// Package stripesim is a stateful Stripe for development and tests: the part of
// the API (version 2023-10-16) that Makegood uses, with Stripe's state machines,
// idempotency keys, events and signed webhooks, and faults on demand.
//
// A request passes router.go (transport faults, replies), idempotency.go (the
// stored first result) and then the handler in the file of its resource. A
// handler reads its parameters, calls finish, and only then changes objects
// through save; one line of journal per request makes the change durable.
// A new resource is a file with its type and handlers, a collection in store.go
// and its rows in router.go; the fields that can be expanded are in render.go.
//
// What Stripe does not have is under /_sim/ (control.go) and needs no key.
// The package never imports stripe-go, so that its tests, which do, compare two
// independent readings of the API.
package stripesim
