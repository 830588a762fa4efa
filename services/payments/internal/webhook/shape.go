package webhook

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Shape is what encoding/json takes for a type. It says of an object, in one pass
// that keeps nothing, that it can surely be read into the type: most objects are
// somebody else's, and only whether they can be read matters of them.
type Shape struct{ root *shape }

// NewShape is the shape of a struct. A method of its own by which the struct is
// read must read an object as if it had none.
func NewShape(structure reflect.Type) Shape {
	return Shape{shapes{}.structure(structure)}
}

// Fits says that the object can surely be read. Of one of which it says no, it is
// not sure.
func (sh Shape) Fits(object []byte) bool {
	s := scanner{b: object}
	s.space()
	fits := sh.root.fits(&s, 0)
	s.space()
	return fits && !s.odd && s.i == len(s.b)
}

// shape is what is sure of one type's values; of every other value, nothing is.
type shape struct {
	anything, null, text, boolean, integer, number bool
	// fields are a struct's, by name; other names are passed over.
	fields map[string]*shape
	// each is every element of a list, or every value of a map.
	each, values *shape
}

// shapes are those made so far: types name each other in circles.
type shapes map[reflect.Type]*shape

var (
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	rawMessage  = reflect.TypeFor[json.RawMessage]()
)

func (all shapes) of(t reflect.Type) *shape {
	if sh := all[t]; sh != nil {
		return sh
	}
	sh := &shape{}
	all[t] = sh
	switch {
	case t == rawMessage:
		sh.anything = true
	case reflect.PointerTo(t).Implements(unmarshaler):
		// How it reads an object or a null is its own; an id is the one text there is.
		sh.text = json.Unmarshal([]byte(`"id_1"`), reflect.New(t).Interface()) == nil
	case t.Kind() == reflect.Pointer:
		*sh = *all.of(t.Elem())
		sh.null = true
	default:
		sh.null = true
		all.fill(sh, t)
	}
	return sh
}

func (all shapes) fill(sh *shape, t reflect.Type) {
	switch t.Kind() {
	case reflect.Interface:
		sh.anything = t.NumMethod() == 0
	case reflect.String:
		sh.text = true
	case reflect.Bool:
		sh.boolean = true
	case reflect.Int64:
		sh.integer = true
	case reflect.Float64:
		sh.integer, sh.number = true, true
	case reflect.Slice:
		sh.each = all.of(t.Elem())
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			sh.values = all.of(t.Elem())
		}
	case reflect.Struct:
		sh.fields = all.structure(t).fields
	default:
	}
}

func (all shapes) structure(t reflect.Type) *shape {
	sh := &shape{fields: map[string]*shape{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("json") == "-":
		case name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
			for inner, sub := range all.structure(f.Type).fields {
				sh.fields[inner] = sub
			}
		case name != "" && name == strings.ToLower(name) && (options == "" || options == "omitempty"):
			sh.fields[name] = all.of(f.Type)
		case f.Anonymous || f.IsExported():
			return &shape{} // not the library's way: nothing is sure
		}
	}
	return sh
}

// mayBe says whether a key that is not among the fields might be read as one.
func (sh *shape) mayBe(key []byte) bool {
	for _, c := range key {
		if 'A' <= c && c <= 'Z' {
			_, is := sh.fields[strings.ToLower(string(key))]
			return is
		}
	}
	return false
}

func (sh *shape) fits(s *scanner, depth int) bool {
	switch c := s.next(); {
	case depth > deepest:
		return s.doubt()
	case sh.anything:
		return s.skip(depth)
	case c == 'n':
		return sh.null && s.word("null")
	case c == '"':
		if !sh.text {
			return s.doubt()
		}
		_, _, ok := s.string()
		return ok
	case c == 't' || c == 'f':
		return sh.boolean && s.skip(depth)
	case c == '[':
		return sh.each != nil && s.list(func() bool { return sh.each.fits(s, depth+1) })
	case c != '{':
		return sh.fitsNumber(s)
	case sh.values != nil:
		return s.object(func([]byte) bool { return sh.values.fits(s, depth+1) })
	case sh.fields != nil:
		return s.object(func(key []byte) bool {
			if field := sh.fields[string(key)]; field != nil {
				return field.fits(s, depth+1)
			}
			return !sh.mayBe(key) && s.skip(depth+1)
		})
	default:
		return s.doubt()
	}
}

// fitsNumber takes what is no larger than its type, whatever the type.
func (sh *shape) fitsNumber(s *scanner) bool {
	from := s.i
	if !s.number() || s.i-from > 18 {
		return s.doubt()
	}
	for _, c := range s.b[from:s.i] {
		if c == 'e' || c == 'E' || c == '.' && !sh.number {
			return s.doubt()
		}
	}
	return sh.integer
}

// list has each called before every element, which it must read.
func (s *scanner) list(each func() bool) bool {
	s.i++
	if s.space(); s.next() == ']' {
		s.i++
		return true
	}
	for {
		if s.space(); !each() {
			return s.doubt()
		}
		s.space()
		switch s.next() {
		case ',':
			s.i++
		case ']':
			s.i++
			return true
		default:
			return s.doubt()
		}
	}
}
