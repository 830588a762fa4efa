package stripesim

import (
	"cmp"
	"slices"
)

// index finds the objects of a collection by one field without looking at all
// of them. It is built when it is first asked for: a million seeded charges that
// nobody looks for by customer cost nothing.
type index[T object] struct {
	key    func(T) string
	groups map[string][]T    // oldest first
	at     map[string]string // id to the key it is filed under
}

// by returns the objects whose field has this value, oldest first. name
// identifies the field; an empty value is never filed.
func (c *collection[T]) by(name string, key func(T) string, value string) []T {
	x, ok := c.indexes[name]
	if !ok {
		x = &index[T]{key: key, groups: map[string][]T{}, at: map[string]string{}}
		for _, o := range c.ordered {
			x.add(o)
		}
		if c.indexes == nil {
			c.indexes = map[string]*index[T]{}
		}
		c.indexes[name] = x
	}
	return x.groups[value]
}

func (c *collection[T]) reindex(o T) {
	for _, x := range c.indexes {
		x.add(o)
	}
}

func (x *index[T]) add(o T) {
	id, key := o.header().ID, x.key(o)
	old, filed := x.at[id]
	if filed && old == key {
		if i, found := search(x.groups[key], o); found {
			x.groups[key][i] = o
			return
		}
	}
	if filed {
		x.removeFrom(old, o)
	}
	if key == "" {
		return
	}
	group := x.groups[key]
	i, _ := search(group, o)
	x.groups[key] = slices.Insert(group, i, o)
	x.at[id] = key
}

func (x *index[T]) remove(o T) {
	if key, filed := x.at[o.header().ID]; filed {
		x.removeFrom(key, o)
	}
}

func (x *index[T]) removeFrom(key string, o T) {
	delete(x.at, o.header().ID)
	if i, found := search(x.groups[key], o); found {
		x.groups[key] = slices.Delete(x.groups[key], i, i+1)
	}
	if len(x.groups[key]) == 0 {
		delete(x.groups, key)
	}
}

// search finds the place of an object among objects ordered by creation.
func search[T object](ordered []T, o T) (int, bool) {
	return slices.BinarySearchFunc(ordered, o, byCreation)
}

func byCreation[T object](a, b T) int {
	x, y := a.header(), b.header()
	return cmp.Or(cmp.Compare(x.Created, y.Created), cmp.Compare(x.seq, y.seq))
}
