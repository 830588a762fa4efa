package webhook

import "encoding/json"

// scanNames reads an object's names in one pass, for the same reason as scan and
// with the same care: of what is not plain it says nothing. An expanded object,
// and what only a checkout session has, is left to encoding/json.
func scanNames(object []byte) (n names, plain bool) {
	s := scanner{b: object}
	var seen keySet
	s.space()
	s.object(func(key []byte) bool {
		switch string(key) {
		case "id":
			return seen.once(0) && s.ref(&n.ID)
		case "payment_intent":
			from := s.i
			var intent ref
			if !seen.once(1) || !s.ref(&intent) {
				return false
			}
			n.PaymentIntent = json.RawMessage(s.b[from:s.i])
			return true
		case "charge":
			return seen.once(2) && s.ref(&n.Charge)
		case "subscription":
			return seen.once(3) && s.ref(&n.Subscription)
		case "invoice":
			return seen.once(4) && s.ref(&n.Invoice)
		case "customer":
			return seen.once(5) && s.ref(&n.Customer)
		case "metadata":
			return seen.once(6) && s.texts(&n.Metadata)
		case "client_reference_id", "customer_details":
			return s.word("null")
		default:
			return !looksLike(key, "id", "payment_intent", "charge", "subscription", "invoice", "customer", "metadata",
				"client_reference_id", "customer_details") && s.skip(0)
		}
	})
	s.space()
	return n, !s.odd && s.i == len(s.b)
}

// ref reads an id, or null.
func (s *scanner) ref(into *ref) bool {
	if s.next() == 'n' {
		return s.word("null")
	}
	id, plain, ok := s.string()
	if !ok || !plain {
		return s.doubt()
	}
	*into = ref(id)
	return true
}

// texts reads an object of nothing but strings, or null.
func (s *scanner) texts(into *map[string]string) bool {
	if s.next() == 'n' {
		return s.word("null")
	}
	*into = map[string]string{}
	return s.object(func(key []byte) bool {
		value, plain, ok := s.string()
		if !ok || !plain {
			return s.doubt()
		}
		(*into)[string(key)] = string(value)
		return true
	})
}
