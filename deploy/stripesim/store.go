package stripesim

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Header is what every stored object begins with.
type Header struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // Unix seconds; of a timer, when it is due

	seq    int64 // order of creation within a collection, for ties in one second
	seeded bool  // made by a seed and unchanged since: the journal has the seed
}

func (h *Header) header() *Header { return h }

// object is anything that is stored: Stripe's resources, and the simulator's
// own idempotency keys and webhook deliveries.
type object interface{ header() *Header }

// keeper is an object with something to remember that Stripe does not show: its
// line in the journal has more than its rendering.
type keeper interface {
	stored() any
	restore(raw json.RawMessage) error
}

// record renders an object for the journal.
func record(o object) (json.RawMessage, error) {
	if k, ok := o.(keeper); ok {
		return marshal(k.stored())
	}
	return marshal(o)
}

// collection holds all objects of one kind, also ordered by creation.
type collection[T object] struct {
	kind    string
	byID    map[string]T
	ordered []T // oldest first, by (created, seq)
	nextSeq int64
	blank   func() T
	indexes map[string]*index[T] // built when first asked for
}

func newCollection[T object](kind string, blank func() T) *collection[T] {
	return &collection[T]{kind: kind, byID: map[string]T{}, blank: blank}
}

func (c *collection[T]) get(id string) (T, bool) {
	o, ok := c.byID[id]
	return o, ok
}

// put inserts a new object at its place in time; an object already known stays
// where it is.
func (c *collection[T]) put(o T) {
	h := o.header()
	if old, ok := c.byID[h.ID]; ok {
		if i, found := c.position(old); found && old.header().Created == h.Created {
			h.seq = old.header().seq
			c.ordered[i] = o
			c.byID[h.ID] = o
			c.reindex(o)
			return
		}
		c.remove(h.ID) // a key that was used again after it expired
	}
	c.nextSeq++
	h.seq = c.nextSeq
	i, _ := c.position(o)
	c.ordered = slices.Insert(c.ordered, i, o)
	c.byID[h.ID] = o
	c.reindex(o)
}

// putAll inserts many new objects at once.
func (c *collection[T]) putAll(objects []T) {
	for _, o := range objects {
		c.nextSeq++
		o.header().seq = c.nextSeq
		c.byID[o.header().ID] = o
	}
	c.ordered = append(c.ordered, objects...)
	if !slices.IsSortedFunc(c.ordered, byCreation) {
		slices.SortFunc(c.ordered, byCreation)
	}
	c.indexes = nil // built again when they are asked for
}

func (c *collection[T]) remove(id string) {
	o, ok := c.byID[id]
	if !ok {
		return
	}
	if i, found := c.position(o); found {
		c.ordered = slices.Delete(c.ordered, i, i+1)
	}
	delete(c.byID, id)
	for _, x := range c.indexes {
		x.remove(o)
	}
}

func (c *collection[T]) position(o T) (int, bool) {
	return search(c.ordered, o)
}

func (c *collection[T]) name() string { return c.kind }

func (c *collection[T]) find(id string) (object, bool) {
	o, ok := c.byID[id]
	return o, ok
}

func (c *collection[T]) restore(id string, raw json.RawMessage) error {
	if string(raw) == "null" {
		c.remove(id)
		return nil
	}
	o := c.blank()
	var err error
	if k, ok := object(o).(keeper); ok {
		err = k.restore(raw)
	} else {
		err = json.Unmarshal(raw, o)
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", c.kind, err)
	}
	c.put(o)
	return nil
}

func (c *collection[T]) each(visit func(object)) {
	for _, o := range c.ordered {
		visit(o)
	}
}

// anyCollection is a collection whose element type does not matter.
type anyCollection interface {
	name() string
	find(id string) (object, bool)
	restore(id string, raw json.RawMessage) error
	each(visit func(object))
}

// world is one mode of the account: test and live objects never meet, because
// each mode has a world of its own.
type world struct {
	live           bool
	clock          func() time.Time
	customers      *collection[*Customer]
	paymentMethods *collection[*PaymentMethod]
	paymentIntents *collection[*PaymentIntent]
	charges        *collection[*Charge]
	refunds        *collection[*Refund]
	events         *collection[*Event]
	balance        *collection[*BalanceTransaction]
	payouts        *collection[*Payout]
	disputes       *collection[*Dispute]
	warnings       *collection[*EarlyFraudWarning]
	seeds          *collection[*seed]
	products       *collection[*Product]
	invoiceItems   *collection[*InvoiceItem]
	prices         *collection[*Price]
	subscriptions  *collection[*Subscription]
	invoices       *collection[*Invoice]
	sessions       *collection[*CheckoutSession]
	timers         *collection[*timer]
	clocks         *collection[*clockSetting]
	keys           *collection[*storedReply]
	deliveries     *collection[*Delivery]

	all      []anyCollection
	inFlight map[string]bool // idempotency keys of requests that are executing
}

func newWorld(live bool, clock func() time.Time) *world {
	w := &world{
		live:           live,
		clock:          clock,
		customers:      newCollection("customer", func() *Customer { return &Customer{} }),
		paymentMethods: newCollection("payment_method", func() *PaymentMethod { return &PaymentMethod{} }),
		paymentIntents: newCollection("payment_intent", func() *PaymentIntent { return &PaymentIntent{} }),
		charges:        newCollection("charge", func() *Charge { return &Charge{} }),
		refunds:        newCollection("refund", func() *Refund { return &Refund{} }),
		events:         newCollection("event", func() *Event { return &Event{} }),
		balance:        newCollection("balance_transaction", func() *BalanceTransaction { return &BalanceTransaction{} }),
		payouts:        newCollection("payout", func() *Payout { return &Payout{} }),
		disputes:       newCollection("dispute", func() *Dispute { return &Dispute{} }),
		warnings:       newCollection("radar.early_fraud_warning", func() *EarlyFraudWarning { return &EarlyFraudWarning{} }),
		seeds:          newCollection("seed", func() *seed { return &seed{} }),
		invoiceItems:   newCollection("invoiceitem", func() *InvoiceItem { return &InvoiceItem{} }),
		products:       newCollection("product", func() *Product { return &Product{} }),
		prices:         newCollection("price", func() *Price { return &Price{} }),
		subscriptions:  newCollection("subscription", func() *Subscription { return &Subscription{} }),
		invoices:       newCollection("invoice", func() *Invoice { return &Invoice{} }),
		sessions:       newCollection("checkout.session", func() *CheckoutSession { return &CheckoutSession{} }),
		timers:         newCollection("timer", func() *timer { return &timer{} }),
		clocks:         newCollection("clock", func() *clockSetting { return &clockSetting{} }),
		keys:           newCollection("idempotency_key", func() *storedReply { return &storedReply{} }),
		deliveries:     newCollection("webhook_delivery", func() *Delivery { return &Delivery{} }),
		inFlight:       map[string]bool{},
	}
	// Seeds come first: what changed after them is restored over what they make.
	w.all = []anyCollection{w.seeds, w.customers, w.paymentMethods, w.paymentIntents, w.charges,
		w.refunds, w.balance, w.payouts, w.disputes, w.warnings, w.products, w.prices, w.subscriptions, w.invoiceItems, w.invoices, w.sessions, w.events, w.timers, w.clocks, w.keys, w.deliveries}
	return w
}

func (w *world) now() time.Time { return w.clock() }

func (w *world) collection(kind string) (anyCollection, bool) {
	for _, c := range w.all {
		if c.name() == kind {
			return c, true
		}
	}
	return nil, false
}

// tx collects what one request changes, so that it reaches the journal as one
// line: after a kill either all of it is there or none.
type tx struct {
	s              *Server
	w              *world
	now            time.Time
	requestID      string
	idempotencyKey string
	dirty          []dirtyObject
	listed         map[object]bool // what is in dirty
}

type dirtyObject struct {
	kind    string
	obj     object
	removed bool
}

// save stores a new object or records that a known one was changed.
func save[T object](t *tx, c *collection[T], o T) {
	if known, ok := c.byID[o.header().ID]; !ok || object(known) != object(o) {
		c.put(o)
	} else {
		c.reindex(o)
	}
	o.header().seeded = false
	if t.listed[o] {
		return
	}
	if t.listed == nil {
		t.listed = map[object]bool{}
	}
	t.listed[o] = true
	t.dirty = append(t.dirty, dirtyObject{c.kind, o, false})
}

// discard forgets an object, and the journal with it.
func discard[T object](t *tx, c *collection[T], id string) {
	o, ok := c.get(id)
	if !ok {
		return
	}
	c.remove(id)
	if t.listed[o] {
		delete(t.listed, o)
		t.dirty = slices.DeleteFunc(t.dirty, func(d dirtyObject) bool { return d.obj == object(o) })
	}
	t.dirty = append(t.dirty, dirtyObject{c.kind, o, true})
}

// commit writes the changes to the journal and wakes the webhook sender.
func (t *tx) commit() error {
	if len(t.dirty) == 0 {
		return nil
	}
	line := journalLine{Live: t.w.live}
	for _, d := range t.dirty {
		raw := json.RawMessage("null")
		if !d.removed {
			var err error
			if raw, err = record(d.obj); err != nil {
				return fmt.Errorf("marshal %s: %w", d.kind, err)
			}
		}
		line.Records = append(line.Records, journalRecord{Kind: d.kind, ID: d.obj.header().ID, Value: raw})
	}
	t.dirty, t.listed = nil, nil
	defer t.s.wake()
	return t.s.journal.append(line)
}

func (t *tx) header(prefix, kind string, idLen int) Header {
	return Header{ID: newID(prefix, idLen), Object: kind, Created: t.now.Unix()}
}

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func newID(prefix string, n int) string {
	const fair = 256 / len(idAlphabet) * len(idAlphabet) // bytes from here on would prefer some characters
	id, random := []byte(prefix), make([]byte, 2*n)
	for len(id) < len(prefix)+n {
		_, _ = rand.Read(random) // never fails
		for _, b := range random {
			if int(b) < fair && len(id) < len(prefix)+n {
				id = append(id, idAlphabet[int(b)%len(idAlphabet)])
			}
		}
	}
	return string(id)
}
