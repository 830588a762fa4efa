package webhook

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"strings"
)

// Subject is what an event is about: every name in it by which it may be found
// whose it is. A name that the object does not have is empty.
type Subject struct {
	// IsCharge says that the object is the charge itself, not something about it.
	IsCharge bool
	// WithoutIntent says that the object tells that it has no payment intent.
	WithoutIntent bool

	IntentID, ChargeID, SessionID, SubscriptionID, InvoiceID, CustomerID string

	ClientReferenceID string
	// Email is an address as Stripe wrote it into the object.
	Email string
	// Metadata is the object's own; an invoice has that of its subscription, too.
	Metadata map[string]string
}

// names are those in an object, as they stand in it.
type names struct {
	ID                ref               `json:"id"`
	PaymentIntent     json.RawMessage   `json:"payment_intent"`
	Charge            ref               `json:"charge"`
	Subscription      ref               `json:"subscription"`
	Invoice           ref               `json:"invoice"`
	Customer          ref               `json:"customer"`
	ClientReferenceID *string           `json:"client_reference_id"`
	Metadata          map[string]string `json:"metadata"`
	CustomerDetails   *struct {
		Email string `json:"email"`
	} `json:"customer_details"`
}

// Subject reads the names in the event's object. An error means that they
// cannot be read as they stand.
func (e Event) Subject() (Subject, error) {
	o, plain := scanNames(e.Object)
	if !plain {
		if err := json.Unmarshal(e.Object, &o); err != nil {
			return Subject{}, errors.New("the object cannot be read")
		}
	}
	s := Subject{
		ChargeID: string(o.Charge), SubscriptionID: string(o.Subscription), InvoiceID: string(o.Invoice),
		CustomerID: string(o.Customer), Email: e.Email, Metadata: o.Metadata,
	}
	if len(o.PaymentIntent) > 0 {
		var intent ref
		if err := json.Unmarshal(o.PaymentIntent, &intent); err != nil {
			return Subject{}, errors.New("the object's payment intent cannot be read")
		}
		s.IntentID, s.WithoutIntent = string(intent), intent == ""
	}
	if o.ClientReferenceID != nil {
		s.ClientReferenceID = *o.ClientReferenceID
	}
	if s.Email == "" && o.CustomerDetails != nil {
		s.Email = o.CustomerDetails.Email
	}
	switch id := string(o.ID); {
	case strings.HasPrefix(e.Type, "payment_intent."):
		s.IntentID, s.ChargeID = id, ""
	case strings.HasPrefix(e.Type, "checkout.session."):
		s.SessionID = id
	case strings.HasPrefix(e.Type, "customer.subscription."):
		s.SubscriptionID = id
	case strings.HasPrefix(e.Type, "invoice."):
		s.InvoiceID = id
		s.readInvoice(e.Object)
	case strings.HasPrefix(e.Type, "charge.") && s.ChargeID == "":
		s.IsCharge, s.ChargeID = true, id // a refund or a dispute of it names it
	case strings.HasPrefix(e.Type, "customer."):
		s.CustomerID = id
	}
	for _, name := range []string{s.IntentID, s.ChargeID, s.SessionID, s.SubscriptionID, s.InvoiceID, s.CustomerID, s.ClientReferenceID, s.Email, s.Metadata["account_id"]} {
		if len(name) > fieldMax || strings.ContainsRune(name, 0) {
			return Subject{}, errors.New("a name in the object is too long, or has a zero byte")
		}
	}
	return s, nil
}

// readInvoice finds an invoice's subscription: its place and its metadata's have
// moved over the versions of Stripe's API.
func (s *Subject) readInvoice(object json.RawMessage) {
	type details struct {
		Subscription ref               `json:"subscription"`
		Metadata     map[string]string `json:"metadata"`
	}
	var o struct {
		SubscriptionDetails details `json:"subscription_details"`
		Parent              struct {
			SubscriptionDetails details `json:"subscription_details"`
		} `json:"parent"`
	}
	_ = json.Unmarshal(object, &o) // what another version has there is no name
	if s.SubscriptionID == "" {
		s.SubscriptionID = string(o.Parent.SubscriptionDetails.Subscription)
	}
	if s.SubscriptionID == "" {
		s.SubscriptionID = subscriptionOfLines(object)
	}
	all := map[string]string{}
	maps.Copy(all, o.SubscriptionDetails.Metadata)
	maps.Copy(all, o.Parent.SubscriptionDetails.Metadata)
	maps.Copy(all, s.Metadata)
	s.Metadata = all
}

// subscriptionOfLines finds the subscription that an invoice's lines name.
func subscriptionOfLines(object json.RawMessage) string {
	type details struct {
		Subscription ref `json:"subscription"`
	}
	var o struct {
		Lines struct {
			Data []struct {
				details
				Parent struct {
					Item    details `json:"subscription_item_details"`
					Invoice details `json:"invoice_item_details"`
				} `json:"parent"`
			} `json:"data"`
		} `json:"lines"`
	}
	_ = json.Unmarshal(object, &o)
	for _, line := range o.Lines.Data {
		if id := cmp.Or(line.Subscription, line.Parent.Item.Subscription, line.Parent.Invoice.Subscription); id != "" {
			return string(id)
		}
	}
	return ""
}

// ref is a reference: an id, null, or the object itself when expanded.
type ref string

// UnmarshalJSON reads any of its forms.
func (r *ref) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	id := IDOf(raw)
	if id == "" && string(raw) != `""` {
		return errors.New("neither an id nor an object with one")
	}
	*r = ref(id)
	return nil
}
