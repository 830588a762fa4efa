package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/stripegw"
	"makegood.example/services/payments/internal/webhook"
)

// whose is the answer to whose an event is, and for whom.
type whose struct {
	// ours: by our marker, by a saved id, or by the customer of a subscription.
	ours bool
	// method is how it was found; empty when nobody was.
	method string
	// payment is the one that the event is about when saved or order is set, and
	// otherwise the latest of the person.
	payment payment.Payment
	// saved: what the event is about is saved here.
	saved bool
	// order: the event names the order of the payment.
	order bool
	// address is what Stripe knows of whoever was not found.
	address string
	// conflict says which hints name different people; nothing may follow then.
	conflict string
}

func (w whose) found() bool { return w.method != "" }

// The hints that are not the id of a saved object.
const (
	byReference = "client_reference_id"
	byMetadata  = "metadata"
	byCustomer  = "customer_id"
	byEmail     = "email"
)

// resolve finds whose an event is. A saved id comes first; then what names an
// order or an account, then the Stripe customer, then, where allowed, a proven
// address. The first that finds decides, unless another names somebody else.
// Errors: stripegw.ErrNotFound when Stripe has no such charge.
func (s *Service) resolve(ctx context.Context, k kind, sub *webhook.Subject) (whose, error) {
	w, err := s.bySavedID(ctx, k, sub)
	if err != nil {
		return w, err
	}
	marked := s.Stripe.IsOurs(sub.Metadata)
	w.ours = w.saved || marked
	if err := s.byStrongHints(ctx, k, *sub, marked, &w); err != nil || w.found() || !w.ours || sub.CustomerID == "" && sub.Email == "" {
		return w, err
	}
	customer, err := s.customerOf(ctx, *sub)
	if err != nil {
		return w, err
	}
	if s.Stripe.IsOurs(customer.Metadata) {
		more := webhook.Subject{Metadata: customer.Metadata}
		if err := s.byStrongHints(ctx, k, more, true, &w); err != nil || w.found() {
			return w, err
		}
	}
	w.address = customer.Email
	if s.Settings.MatchByEmail {
		err = s.byProvenEmail(ctx, customer.Email, &w)
	}
	return w, err
}

// bySavedID finds the payment whose intent, charge, session or subscription the
// event is about. What only tells of a charge is completed from the charge at
// Stripe, or from its intent.
func (s *Service) bySavedID(ctx context.Context, k kind, sub *webhook.Subject) (whose, error) {
	for {
		chargeID := sub.ChargeID
		if k == chargePaid {
			chargeID = "" // its intent was saved before
		}
		for _, by := range []struct {
			method, id string
			find       func(context.Context, string) (payment.Payment, error)
		}{
			{"checkout_session", sub.SessionID, s.Store.BySession},
			{"charge", chargeID, s.Store.ByCharge},
			{"payment_intent", sub.IntentID, s.Store.ByIntent},
			{"subscription", sub.SubscriptionID, s.bySubscription},
		} {
			if by.id == "" {
				continue
			}
			p, err := by.find(ctx, by.id)
			if err == nil {
				return whose{method: by.method, payment: p, saved: true}, nil
			}
			if !errors.Is(err, store.ErrNone) {
				return whose{}, err
			}
		}
		if k != chargeChanged || sub.IsCharge || sub.WithoutIntent {
			return whose{}, nil
		}
		if sub.ChargeID == "" {
			in, err := s.Stripe.GetIntent(ctx, sub.IntentID)
			if err != nil {
				return whose{}, err
			}
			sub.ChargeID, sub.CustomerID, sub.InvoiceID, sub.Metadata, sub.IsCharge = in.Charge.ID, in.CustomerID, in.InvoiceID, in.Metadata, true
			continue
		}
		c, err := s.Stripe.GetCharge(ctx, sub.ChargeID)
		if err != nil {
			return whose{}, err
		}
		sub.IntentID, sub.CustomerID, sub.InvoiceID, sub.Metadata, sub.IsCharge = c.IntentID, c.CustomerID, c.InvoiceID, c.Metadata, true
	}
}

// byStrongHints finds the order or the person that an event names, and whether
// its hints agree. Without our marker an order or account id is not ours; a
// saved customer's subscription is, whoever made it.
func (s *Service) byStrongHints(ctx context.Context, k kind, sub webhook.Subject, marked bool, w *whose) error {
	if !marked {
		sub.ClientReferenceID, sub.Metadata = "", nil
	}
	if w.saved || !marked && !k.ofSubscription() {
		sub.CustomerID = "" // an intent that says another customer is read again
	}
	account := sub.ClientReferenceID
	if account == sub.Metadata["order_id"] {
		account = "" // it names an order, as on every page of ours
	}
	var named payment.Payment // the holder of an account who bought nothing here
	for _, hint := range []struct {
		method, name string
		order        bool
		find         func(context.Context, string) (payment.Payment, error)
	}{
		{byReference, sub.ClientReferenceID, true, s.byOrder},
		{byReference, account, false, s.byAccount},
		{byMetadata, sub.Metadata["order_id"], true, s.byOrder},
		{byMetadata, sub.Metadata["account_id"], false, s.byAccount},
		{byCustomer, sub.CustomerID, false, s.Store.ByCustomer},
	} {
		if hint.name == "" || w.found() && (hint.name == w.payment.OrderID.String() || hint.name == w.payment.AccountID || hint.name == w.payment.CustomerID) {
			continue
		}
		p, err := hint.find(ctx, hint.name)
		switch {
		case errors.Is(err, store.ErrNone):
		case err != nil:
			return err
		case p.OrderID == uuid.Nil:
			named = p
		case !w.found():
			w.ours, w.method, w.payment, w.order = true, hint.method, p, hint.order
		case !samePerson(w.payment, p):
			w.conflict = fmt.Sprintf("%s leads to order %s, and %s to order %s of somebody else", w.method, w.payment.OrderID, hint.method, p.OrderID)
			return nil
		}
	}
	account = sub.Metadata["account_id"]
	strangers := named.EmailKey != "" && !samePerson(w.payment, named)
	if w.found() && account != "" && (strangers || w.payment.AccountID != "" && account != w.payment.AccountID) {
		w.conflict = fmt.Sprintf("%s leads to order %s of one account, and the metadata name another", w.method, w.payment.OrderID)
	}
	return nil
}

func (s *Service) byOrder(ctx context.Context, orderID string) (payment.Payment, error) {
	id, err := uuid.Parse(orderID)
	if err != nil {
		return payment.Payment{}, store.ErrNone
	}
	return s.Store.Last(ctx, id)
}

// byAccount reads the latest payment for an account. Who buys without one gets
// theirs from Provisioning, which then tells whose it is; a holder who bought
// nothing here is a payment of no order.
func (s *Service) byAccount(ctx context.Context, accountID string) (payment.Payment, error) {
	p, err := s.Store.ByAccount(ctx, accountID)
	id, parseErr := uuid.Parse(accountID)
	if !errors.Is(err, store.ErrNone) || parseErr != nil {
		return p, err
	}
	email, err := s.Accounts.Address(ctx, id)
	if err != nil {
		return payment.Payment{}, fmt.Errorf("provisioning: %w", err)
	}
	if email == "" {
		return payment.Payment{}, store.ErrNone
	}
	holder := payment.Payment{EmailKey: payment.Purchase{Email: email}.EmailKey(), AccountID: accountID}
	bought, err := s.Store.ByEmail(ctx, holder.EmailKey)
	for _, p := range bought {
		if p.AccountID == "" {
			return p, err
		}
	}
	return holder, err
}

// bySubscription reads the latest payment of the order that began a subscription.
func (s *Service) bySubscription(ctx context.Context, subscriptionID string) (payment.Payment, error) {
	sub, err := s.Store.Subscription(ctx, subscriptionID)
	if err != nil {
		return payment.Payment{}, err
	}
	return s.Store.Last(ctx, sub.OrderID)
}

func samePerson(a, b payment.Payment) bool {
	return a.EmailKey == b.EmailKey || a.AccountID != "" && a.AccountID == b.AccountID
}

// customerOf reads what Stripe knows of the event's customer; nothing when it
// has no such customer.
func (s *Service) customerOf(ctx context.Context, sub webhook.Subject) (stripegw.Customer, error) {
	if sub.CustomerID == "" {
		return stripegw.Customer{Email: sub.Email}, nil
	}
	c, err := s.Stripe.GetCustomer(ctx, sub.CustomerID)
	if errors.Is(err, stripegw.ErrNotFound) || errors.Is(err, stripegw.ErrRefused) {
		err = nil
	}
	if c.Email == "" {
		c.Email = sub.Email
	}
	return c, err
}

// byProvenEmail finds the one buyer of an address that was proven by its
// account's link. An address that bought for several accounts, or for another
// than the one that has it, says nothing.
func (s *Service) byProvenEmail(ctx context.Context, email string, w *whose) error {
	key := payment.Purchase{Email: email}.EmailKey()
	if len(key) < 3 {
		return nil
	}
	bought, err := s.Store.ByEmail(ctx, key)
	if err != nil || len(bought) != 1 {
		return err
	}
	account, err := s.Accounts.Find(ctx, key)
	if err != nil {
		return fmt.Errorf("provisioning: %w", err)
	}
	if account != "" && (bought[0].AccountID == "" || bought[0].AccountID == account) {
		w.method, w.payment = byEmail, bought[0]
	}
	return nil
}

// namesOf are the names whose saving here may tell whose an event is.
func namesOf(sub webhook.Subject) []string {
	var names []string
	for _, name := range []string{
		sub.IntentID, sub.ChargeID, sub.SessionID, sub.SubscriptionID, sub.CustomerID, sub.Metadata["account_id"],
	} {
		if name != "" {
			names = append(names, name)
		}
	}
	for _, order := range []string{sub.ClientReferenceID, sub.Metadata["order_id"]} {
		if id, err := uuid.Parse(order); err == nil {
			names = append(names, id.String())
		}
	}
	if reference := sub.ClientReferenceID; reference != "" && uuid.Validate(reference) != nil {
		names = append(names, reference) // an account of the shop's own naming
	}
	return names
}
