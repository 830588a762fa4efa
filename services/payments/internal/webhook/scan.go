package webhook

import (
	"encoding/json"
	"strconv"
	"strings"
)

// fields are what an event is filed by, as they stand in its body.
type fields struct {
	id, eventType, apiVersion          string
	livemode                           bool
	created                            int64
	object                             json.RawMessage
	objectID, objectKind               string
	customer                           json.RawMessage
	email, customerEmail, receiptEmail string
}

// scan reads the fields in one pass over the body, without decoding the rest of
// it, as a library would: most events are filed and never looked at again. It
// takes only what is plain beyond doubt: a body that is JSON from end to end,
// in which each key that matters stands once, as it is written, with a value of
// its type. Of anything else it says nothing, and decode decides.
func scan(payload []byte) (f fields, plain bool) {
	s := scanner{b: payload}
	var seen keySet
	s.object(func(key []byte) bool {
		switch string(key) {
		case "id":
			return seen.once(0) && s.text(&f.id)
		case "type":
			return seen.once(1) && s.text(&f.eventType)
		case "api_version":
			return seen.once(2) && s.text(&f.apiVersion)
		case "livemode":
			return seen.once(3) && s.bool(&f.livemode)
		case "created":
			return seen.once(4) && s.int(&f.created)
		case "data":
			return seen.once(5) && s.data(&f)
		default:
			return !looksLike(key, "id", "type", "api_version", "livemode", "created", "data") && s.skip(0)
		}
	})
	s.space()
	return f, !s.odd && s.i == len(s.b)
}

// data reads data.object, which is kept as it is, and what it is filed by.
func (s *scanner) data(f *fields) bool {
	var seen keySet
	return s.object(func(key []byte) bool {
		if string(key) != "object" {
			return !looksLike(key, "object") && s.skip(0)
		}
		from := s.i
		if !seen.once(0) || !s.filed(f) {
			return false
		}
		f.object = json.RawMessage(s.b[from:s.i])
		return true
	})
}

func (s *scanner) filed(f *fields) bool {
	var seen keySet
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "id":
			return seen.once(0) && s.text(&f.objectID)
		case "object":
			return seen.once(1) && s.text(&f.objectKind)
		case "customer":
			from := s.i
			if !seen.once(2) || !s.skip(0) {
				return false
			}
			f.customer = json.RawMessage(s.b[from:s.i])
			return true
		case "email":
			return seen.once(3) && s.text(&f.email)
		case "customer_email":
			return seen.once(4) && s.text(&f.customerEmail)
		case "receipt_email":
			return seen.once(5) && s.text(&f.receiptEmail)
		default:
			return !looksLike(key, "id", "object", "customer", "email", "customer_email", "receipt_email") && s.skip(0)
		}
	})
}

// keySet remembers which keys an object has had.
type keySet uint

func (k *keySet) once(n uint) bool {
	had := *k&(1<<n) != 0
	*k |= 1 << n
	return !had
}

// looksLike says whether a key might be read as one of the names, as
// encoding/json takes them: whatever their case.
func looksLike(key []byte, names ...string) bool {
	for _, c := range key {
		if 'A' <= c && c <= 'Z' {
			for _, name := range names {
				if strings.EqualFold(string(key), name) {
					return true
				}
			}
			return false
		}
	}
	return false
}

// deepest is how far scan follows nesting; Stripe stays far below.
const deepest = 100

// scanner walks over JSON. Every method says whether all is plain so far; once
// it is not, odd stays true and the rest means nothing.
type scanner struct {
	b   []byte
	i   int
	odd bool
}

func (s *scanner) doubt() bool {
	s.odd = true
	return false
}

// next is the byte at hand, 0 at the end; no 0 is valid outside of a string.
func (s *scanner) next() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

// object hands each key to each, which must read its value.
func (s *scanner) object(each func(key []byte) bool) bool {
	s.space()
	if s.next() != '{' {
		return s.doubt()
	}
	s.i++
	if s.space(); s.next() == '}' {
		s.i++
		return true
	}
	for {
		s.space()
		key, plain, ok := s.string()
		if !ok || !plain {
			return s.doubt()
		}
		if s.space(); s.next() != ':' {
			return s.doubt()
		}
		s.i++
		if s.space(); !each(key) {
			return s.doubt()
		}
		s.space()
		switch s.next() {
		case ',':
			s.i++
		case '}':
			s.i++
			return true
		default:
			return s.doubt()
		}
	}
}

// string walks over a string and returns what is between its quotes; plain says
// that this is the text itself, without escapes and in ASCII.
func (s *scanner) string() (inner []byte, plain, ok bool) {
	if s.next() != '"' {
		return nil, false, s.doubt()
	}
	s.i++
	from := s.i
	plain = true
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[from : s.i-1], plain, true
		case c == '\\':
			plain = false
			if !s.escape() {
				return nil, false, false
			}
		case c < ' ':
			return nil, false, s.doubt()
		default:
			plain = plain && c < 0x80
			s.i++
		}
	}
	return nil, false, s.doubt()
}

func (s *scanner) escape() bool {
	s.i++
	switch s.next() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return true
	case 'u':
		s.i++
		for range 4 {
			c := s.next()
			if !(digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return s.doubt()
			}
			s.i++
		}
		return true
	default:
		return s.doubt()
	}
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// text reads a string, or null, which leaves it as it is.
func (s *scanner) text(into *string) bool {
	if s.next() == 'n' {
		return s.word("null")
	}
	from := s.i
	inner, plain, ok := s.string()
	if !ok {
		return false
	}
	if plain {
		*into = string(inner)
		return true
	}
	if json.Unmarshal(s.b[from:s.i], into) != nil {
		return s.doubt()
	}
	return true
}

func (s *scanner) bool(into *bool) bool {
	switch s.next() {
	case 'n':
		return s.word("null")
	case 't':
		*into = true
		return s.word("true")
	default:
		return s.word("false")
	}
}

func (s *scanner) int(into *int64) bool {
	if s.next() == 'n' {
		return s.word("null")
	}
	from := s.i
	if !s.number() {
		return false
	}
	n, err := strconv.ParseInt(string(s.b[from:s.i]), 10, 64)
	if *into = n; err != nil {
		return s.doubt()
	}
	return true
}

func (s *scanner) word(want string) bool {
	if string(s.b[s.i:min(len(s.b), s.i+len(want))]) != want {
		return s.doubt()
	}
	s.i += len(want)
	return true
}

func (s *scanner) digits() bool {
	if !digit(s.next()) {
		return s.doubt()
	}
	for digit(s.next()) {
		s.i++
	}
	return true
}

func (s *scanner) number() bool {
	if s.next() == '-' {
		s.i++
	}
	if s.next() == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.next() == '.' {
		s.i++
		if !s.digits() {
			return false
		}
	}
	if c := s.next(); c == 'e' || c == 'E' {
		s.i++
		if c := s.next(); c == '+' || c == '-' {
			s.i++
		}
		return s.digits()
	}
	return true
}

// skip walks over any value.
func (s *scanner) skip(depth int) bool {
	if depth > deepest {
		return s.doubt()
	}
	switch c := s.next(); c {
	case '"':
		_, _, ok := s.string()
		return ok
	case 'n':
		return s.word("null")
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case '{', '[':
		return s.skipInside(c+2, c == '{', depth) // in ASCII, } is { + 2 and ] is [ + 2
	default:
		return s.number()
	}
}

func (s *scanner) skipInside(end byte, keys bool, depth int) bool {
	s.i++
	if s.space(); s.next() == end {
		s.i++
		return true
	}
	for {
		s.space()
		if keys {
			if _, _, ok := s.string(); !ok {
				return false
			}
			if s.space(); s.next() != ':' {
				return s.doubt()
			}
			s.i++
			s.space()
		}
		if !s.skip(depth + 1) {
			return false
		}
		s.space()
		switch s.next() {
		case ',':
			s.i++
		case end:
			s.i++
			return true
		default:
			return s.doubt()
		}
	}
}
