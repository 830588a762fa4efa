package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"makegood.example/services/payments/internal/clients"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/webhook"
	"makegood.example/services/payments/internal/wire"
)

// verdict is what became of an event: a final ledger status, how it was found
// whom it is for, and a note for whoever reads the ledger. When one of the names
// that it waits for is saved here, the event is handled again.
type verdict struct {
	status, method, note string
	waitsFor             []string
	// address is one by which it may be found for whom it is, once it is proven.
	address string
}

func quarantine(method, note string) verdict {
	return verdict{status: store.Quarantined, method: method, note: note}
}

func quarantined(method, note string) (verdict, error) { return quarantine(method, note), nil }

func ignored(method, note string) (verdict, error) {
	return verdict{status: store.Ignored, method: method, note: note}, nil
}

// atFirstSight answers the questions that the event itself decides: can it be
// read, is it of our mode, and does anything follow from its kind?
func (s *Service) atFirstSight(e webhook.Event, unreadable error) (n news, v verdict, decided bool) {
	if unreadable != nil {
		return n, quarantine("", "unreadable: "+unreadable.Error()), true
	}
	switch live := s.Stripe.Livemode(); {
	case live && !e.Livemode:
		return n, verdict{status: store.Orphaned, note: "a test event at a live key"}, true
	case !live && e.Livemode:
		return n, quarantine("", "a live event at a test key"), true
	}
	k := kinds[e.Type]
	if k == noNews {
		return n, verdict{status: store.Ignored, note: "nothing follows from this type"}, true
	}
	n, err := read(e, k)
	if err != nil {
		return n, quarantine("", err.Error()), true
	}
	if n.isAboutNothing(s.Stripe.IsOurs(n.Subject.Metadata)) {
		return n, verdict{status: store.Ignored, note: "a charge without a payment intent is not ours"}, true
	}
	return n, verdict{}, false
}

// handle answers the questions about an event in their order. An error means
// not yet.
func (s *Service) handle(ctx context.Context, f store.Filed) (verdict, error) {
	n, v, decided := s.atFirstSight(webhook.Parse(f.Payload))
	if decided {
		return v, nil
	}
	if err := n.readIntent(); err != nil {
		return quarantined("", err.Error())
	}
	e, k := n.Event, n.kind
	if f.AttemptCount == 0 {
		// Never delivered here, but caught up: our own tries are the only ones.
		f.AttemptCount, ctx = f.RetryCount, clients.CaughtUp(ctx)
	}
	if k == chargePaid && !strings.HasPrefix(n.IntentID, "pi_") {
		if v, err := s.completeCharge(ctx, &n); err != nil || v.status != "" {
			return v, err
		}
	}

	// Whose is it, and for whom?
	w, err := s.resolve(ctx, k, &n.Subject)
	switch {
	case errors.Is(err, stripegw.ErrNotFound) || errors.Is(err, stripegw.ErrRefused):
		return quarantined("", "Stripe says there is no such charge")
	case err != nil:
		return verdict{}, err
	case w.conflict != "":
		return s.unclear(ctx, e, w.method, w.conflict)
	case !w.ours:
		if known, err := s.followBehind(ctx, n.Subject); err != nil {
			return verdict{}, err
		} else if known {
			return s.handle(ctx, f) // what it is about is saved now
		}
		return s.foreign(ctx, n)
	case !w.found() || k.isOfOneOrder() && !w.saved && !w.order && n.SubscriptionID == "":
		return s.nobodyFound(ctx, n, w, f.AttemptCount)
	}

	// What does it say?
	v, err = s.follow(ctx, n, w, f.AttemptCount)
	if errors.Is(err, stripegw.ErrNotFound) && !k.ofSubscription() {
		return quarantined(w.method, "Stripe says there is no such object")
	}
	return v, err
}

// follow does what an event says about whoever was found.
func (s *Service) follow(ctx context.Context, n news, w whose, attempt int32) (verdict, error) {
	switch n.kind {
	case intentPaid, intentChanged, intentCanceled, chargePaid:
		return s.handleIntent(ctx, n, w)
	case checkoutCompleted, checkoutOver:
		if !w.saved && !w.order { // a subscription bought for an account, on a page that somebody else made
			return s.handleSubscription(ctx, n, w, attempt)
		}
		return s.handleSession(ctx, n, w)
	case chargeChanged:
		return s.handleChargeChange(ctx, n, w)
	case subscriptionChanged, subscriptionDeleted, invoiceChanged:
		return s.handleSubscription(ctx, n, w, attempt)
	case customerDeleted:
		err := s.Store.ForgetCustomer(ctx, n.Subject.CustomerID, s.Now())
		return verdict{status: store.Processed, method: w.method}, err
	default:
		return ignored(w.method, "nothing follows from this type")
	}
}

// news is an event whose object was read.
type news struct {
	webhook.Event
	webhook.Subject
	kind kind
	// intent is what the event says of it, once readIntent has read it; whole only
	// when the event is about it.
	intent payment.Intent
}

func read(e webhook.Event, k kind) (n news, err error) {
	n = news{Event: e, kind: k}
	if n.Subject, err = e.Subject(); err != nil {
		return n, err
	}
	switch k {
	case intentPaid, intentChanged, intentCanceled:
		err = stripegw.CheckIntent(e.ObjectID, e.Object)
	case checkoutCompleted, checkoutOver:
		if n.SessionID == "" {
			err = errors.New("the session has no id")
		}
	}
	return n, err
}

// readIntent reads what the event says of its intent: of one that an event is
// about, all of it.
func (n *news) readIntent() (err error) {
	switch n.kind {
	case intentPaid, intentChanged, intentCanceled:
		n.intent, err = stripegw.ParseIntent(n.Object)
	default:
		n.intent = payment.Intent{ID: n.IntentID, Metadata: n.Subject.Metadata}
	}
	return err
}

// isAboutNothing says that it is about a charge that is none of a payment intent.
// One with our mark is looked into whatever it says.
func (n news) isAboutNothing(marked bool) bool {
	switch n.kind {
	case chargePaid:
		return !strings.HasPrefix(n.IntentID, "pi_") && !(marked && n.ChargeID != "")
	case chargeChanged:
		return n.ChargeID == "" && n.IntentID == "" || n.WithoutIntent && !n.IsCharge
	default:
		return false
	}
}

// completeCharge reads from Stripe which intent a charge with our mark is of,
// when the event does not say. Money that is of none is shown to a person.
func (s *Service) completeCharge(ctx context.Context, n *news) (verdict, error) {
	c, err := s.Stripe.GetCharge(ctx, n.ChargeID)
	switch {
	case errors.Is(err, stripegw.ErrNotFound) || errors.Is(err, stripegw.ErrRefused):
		return quarantined("", "Stripe says there is no such charge")
	case err != nil:
		return verdict{}, err
	case c.IntentID == "":
		summary := fmt.Sprintf("charge %s carries our mark and was made without a payment intent", n.ChargeID)
		return quarantine("", summary), s.Cases.OpenUnidentified(ctx, n.ChargeID, summary)
	}
	n.Subject.IntentID, n.intent.ID = c.IntentID, c.IntentID
	return verdict{}, nil
}

// unclear keeps an event for a person, and does nothing else.
func (s *Service) unclear(ctx context.Context, e webhook.Event, method, why string) (verdict, error) {
	if err := s.Cases.OpenUnclear(ctx, e.ID, fmt.Sprintf("event %s (%s): %s", e.ID, e.Type, why)); err != nil {
		return verdict{}, fmt.Errorf("opening a case: %w", err)
	}
	return quarantined(method, why)
}

// foreign is the end of an event that is not ours. Money of a customer of ours
// may become ours once the subscription that took it is known.
func (s *Service) foreign(ctx context.Context, n news) (verdict, error) {
	v := verdict{status: store.Ignored, note: "foreign"}
	if n.Subject.CustomerID == "" || n.IntentID == "" {
		return v, nil
	}
	_, err := s.Store.ByCustomer(ctx, n.Subject.CustomerID)
	switch {
	case err == nil:
		v.waitsFor = []string{n.IntentID}
	case !errors.Is(err, store.ErrNone):
		return verdict{}, err
	}
	return v, nil
}

// nobodyFound does with an event of ours what its policy says.
func (s *Service) nobodyFound(ctx context.Context, n news, w whose, attempt int32) (verdict, error) {
	what := nobodysPolicy(n.kind, n.Livemode, attempt)
	switch what {
	case drop:
		return ignored(byMetadata, "given up before anything here knew of it")
	case orphanPath:
		return s.handleUnknown(ctx, n.intent.ID, byMetadata)
	case notYetAndCase:
		if err := s.Cases.OpenUnclear(ctx, n.Event.ID, fmt.Sprintf("event %s (%s) is of ours, and its order is not known", n.Event.ID, n.Type)); err != nil {
			return verdict{}, fmt.Errorf("opening a case: %w", err)
		}
	}
	if n.kind == chargeChanged && n.Livemode {
		// Our own records may be lost: the payment comes first, then what became of it.
		if v, err := s.followRestored(ctx, n, byMetadata); err != nil || v.status == store.Processed {
			return v, err
		}
	}
	if n.SubscriptionID != "" && n.kind.ofSubscription() && n.Livemode {
		// The same, of a subscription.
		v, err := s.followFor(ctx, n, byMetadata, payment.Payment{})
		switch {
		case errors.Is(err, errNobody):
		case err != nil:
			return verdict{}, err
		case v.note != noSuchSubscription && v.note != noTermPaid:
			return v, nil
		}
	}
	address := payment.Purchase{Email: w.address}.EmailKey()
	if w.found() { // the person alone does not tell
		address = ""
		n.Subject.CustomerID, n.Subject.Metadata["account_id"] = "", ""
	}
	if what == orphan {
		return verdict{status: store.Orphaned, note: "of ours, and nobody is known here whom it is for", waitsFor: namesOf(n.Subject), address: address}, nil
	}
	return verdict{}, nobodyYet{namesOf(n.Subject)}
}

// nobodyYet says that an event is to be handled again, and at once when one of
// these names is saved here.
type nobodyYet struct{ names []string }

func (nobodyYet) Error() string { return "of ours, and nobody is known here yet whom it is for" }

// handleIntent records what Stripe says of one of our intents and tells Orders.
func (s *Service) handleIntent(ctx context.Context, n news, w whose) (verdict, error) {
	p, in := w.payment, n.intent
	switch {
	case w.saved:
	case w.order && p.IntentID == "" && p.SessionID != "":
		// Paid on a page of Stripe's: its intent is new to us.
		return s.handlePagesIntent(ctx, n, w)
	case n.kind == intentCanceled:
		return ignored(w.method, "an intent that came too late was canceled")
	case w.order && p.Status == payment.Creating:
		return verdict{}, errors.New("the order's intent is not saved yet")
	default:
		// Not saved, so nothing that we confirmed: another intent of a known order or person.
		return s.handleUnknown(ctx, in.ID, w.method)
	}
	if p.Status == payment.Succeeded {
		return s.tellOrders(ctx, wire.Known{Payment: p}, w.method) // recorded already: an event can add nothing
	}
	if !trusted(in, p) {
		var err error
		if in, err = s.readIntent(ctx, p, in.ID); errors.Is(err, stripegw.ErrNotFound) {
			return quarantined(w.method, "Stripe says there is no such intent")
		} else if err != nil {
			return verdict{}, err
		}
		if in.CustomerID != "" && p.CustomerID != "" && in.CustomerID != p.CustomerID {
			return s.unclear(ctx, n.Event, w.method, fmt.Sprintf("intent %s is saved for customer %s, and at Stripe it belongs to %s", in.ID, p.CustomerID, in.CustomerID))
		}
	}
	if n.kind == intentPaid || n.kind == chargePaid || in.Charge.CreatedAt.IsZero() {
		in.SucceededAt = n.CreatedAt
	}
	k, err := s.record(ctx, p.ID, in, false, nil)
	if err != nil {
		return verdict{}, err
	}
	if k.Payment.Says(k.Last) == payment.Unknown {
		return verdict{status: store.Processed, method: w.method, note: "no news"}, nil
	}
	return s.tellOrders(ctx, k, w.method)
}

// handlePagesIntent handles an intent of an order whose page's intent is not known
// here: it may be that one, or money beside the page.
func (s *Service) handlePagesIntent(ctx context.Context, n news, w whose) (verdict, error) {
	k, open, err := s.readPage(ctx, w.payment)
	switch page := k.Payment; {
	case err != nil:
		return verdict{}, err
	case page.IntentID == n.intent.ID:
		return s.tellOrders(ctx, k, w.method)
	case n.kind != intentPaid && n.kind != chargePaid:
		return verdict{status: store.Processed, method: w.method, note: "the session is not done with it"}, nil
	case open != nil:
		return verdict{}, open
	case page.IntentID == "" && page.Status != payment.Succeeded && page.Status != payment.Canceled:
		return verdict{}, errors.New("the session is not done with it, and it is paid")
	default:
		return s.handleUnknown(ctx, n.intent.ID, w.method)
	}
}

// readPage reads the page of a payment whose intent is not known; open is set when
// it may still be paid there.
func (s *Service) readPage(ctx context.Context, p payment.Payment) (k wire.Known, open error, err error) {
	session, err := s.Stripe.GetSession(ctx, p.SessionID)
	if err != nil {
		return k, nil, err
	}
	if k, err = s.recordSession(ctx, p.ID, session); err == nil && k.Payment.PageEnd() == "" {
		open = pageOpen{session}
	}
	return k, open, err
}

// pageOpen says that money beside a page waits until it is sure how the page ends.
type pageOpen struct{ session payment.Session }

func (e pageOpen) Error() string {
	return fmt.Sprintf("paid beside session %s, which is open until %s: it waits for its end", e.session.ID, e.session.ExpiresAt.Format(time.RFC3339))
}

// isWaiting says whether that is all: Stripe closes every page in its time.
func (e pageOpen) isWaiting(now time.Time) bool {
	return now.Before(e.session.ExpiresAt.Add(pageEndsWithin))
}

// tellOrders hands the news over; the event is processed once the order has it.
func (s *Service) tellOrders(ctx context.Context, k wire.Known, method string) (verdict, error) {
	told, err := s.Orders.Advance(ctx, k, clients.Webhook)
	if clients.IsOrderNotFound(err) && k.Payment.Status == payment.Succeeded {
		told, err = s.adopt(ctx, k)
	}
	if clients.IsCannotAdopt(err) { // a case is open
		return quarantined(method, "the order is not known, and the charge does not say whose it is")
	}
	if err != nil {
		return verdict{}, fmt.Errorf("orders: %w", err)
	}
	v := verdict{status: store.Processed, method: method}
	switch {
	case told.Held:
		v.note = "it is not what the order asked for: a person has the case"
	case k.Payment.Status == payment.Succeeded && !told.Took():
		return verdict{}, errors.New("the order does not take the payment")
	}
	return v, nil
}

// trusted says whether the event's own word is enough: a signed success for an
// intent that we saved, with all that we asked for. Anything else is read again.
func trusted(in payment.Intent, p payment.Payment) bool {
	return in.Status == payment.StripeSucceeded && in.Charge.ID != "" &&
		in.ReceivedMinor == p.Asked() && in.Currency == p.Currency && in.CustomerID == p.CustomerID
}
