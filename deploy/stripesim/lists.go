package stripesim

import (
	"net/http"
	"slices"
	"sort"
)

// listPage is Stripe's page of a list, newest first.
type listPage struct {
	Object  string   `json:"object"`
	Data    []object `json:"data"`
	HasMore bool     `json:"has_more"`
	URL     string   `json:"url"`
}

// timeRange is created[gt|gte|lt|lte] or an exact created.
type timeRange struct{ from, to int64 } // inclusive

func (t timeRange) contains(at int64) bool { return at >= t.from && at <= t.to }

// within reads a range of times.
func (p *params) within(name string) timeRange {
	r := timeRange{from: -1 << 62, to: 1 << 62}
	if !p.has(name) {
		return r
	}
	if _, exact := p.tree[name].(string); exact {
		at := p.integer(name)
		return timeRange{at, at}
	}
	sub := p.sub(name)
	if sub.has("gt") {
		r.from = max(r.from, sub.integer("gt")+1)
	}
	if sub.has("gte") {
		r.from = max(r.from, sub.integer("gte"))
	}
	if sub.has("lt") {
		r.to = min(r.to, sub.integer("lt")-1)
	}
	if sub.has("lte") {
		r.to = min(r.to, sub.integer("lte"))
	}
	if err := sub.finish(); err != nil {
		p.fail(err.Code, name+"["+err.Param+"]", "%s", err.Message)
	}
	return r
}

// list answers one page of a collection. The handler has read its own filters;
// list reads the paging parameters, and created.
func list[T object](c *call, col *collection[T], match func(T) bool) (any, *Error) {
	return listOf(c, col, col.ordered, match)
}

// filter is one field by which a list can be narrowed through an index.
type filter[T object] struct {
	name  string
	key   func(T) string
	value string // empty: not asked for
}

// listBy answers a page of the objects that pass every filter and match.
func listBy[T object](c *call, col *collection[T], filters []filter[T], match func(T) bool) (any, *Error) {
	ordered, narrowed := col.ordered, false
	for _, f := range filters {
		if f.value == "" {
			continue
		}
		if group := col.by(f.name, f.key, f.value); !narrowed || len(group) < len(ordered) {
			ordered, narrowed = group, true
		}
	}
	return listOf(c, col, ordered, func(o T) bool {
		for _, f := range filters {
			if f.value != "" && f.key(o) != f.value {
				return false
			}
		}
		return match == nil || match(o)
	})
}

// listOf answers a page of some of a collection's objects, given oldest first.
func listOf[T object](c *call, col *collection[T], ordered []T, match func(T) bool) (any, *Error) {
	p := c.params
	within := p.within("created")
	limit := int64(10)
	if p.has("limit") {
		limit = p.integer("limit")
	}
	after, before := p.text("starting_after"), p.text("ending_before")
	if limit > 100 {
		p.fail("parameter_invalid_integer", "limit", "This value must be less than or equal to 100.")
	} else if limit < 1 {
		p.fail("parameter_invalid_integer", "limit", "This value must be greater than or equal to 1.")
	}
	if after != "" && before != "" {
		p.fail("parameters_exclusive", "ending_before", "You may only provide one of ending_before or starting_after.")
	}
	if err := p.finish(); err != nil {
		return nil, err
	}

	place := func(id, param string) (int, *Error) {
		o, ok := col.get(id)
		if !ok {
			return 0, errMissing(http.StatusBadRequest, col.kind, id, param, "")
		}
		i, found := search(ordered, o)
		if param == "ending_before" && !found {
			i-- // it is between two of those that are listed
		}
		return i, nil
	}
	matches := func(o T) bool { return within.contains(o.header().Created) && match(o) }
	page := &listPage{Object: "list", Data: []object{}, URL: c.r.URL.Path}
	add := func(o T) (full bool) {
		if !matches(o) {
			return false
		}
		if int64(len(page.Data)) == limit {
			page.HasMore = true
			return true
		}
		refresh(o, c.now)
		page.Data = append(page.Data, o)
		return false
	}

	if before != "" { // upwards to the newer ones, then turned round
		i, err := place(before, "ending_before")
		if err != nil {
			return nil, err
		}
		for i++; i < len(ordered) && !add(ordered[i]); i++ {
		}
		slices.Reverse(page.Data)
		return page, nil
	}
	// The first one that is too new is found by halving, so that an old window
	// of a long history is as cheap as a recent one.
	i := sort.Search(len(ordered), func(i int) bool { return ordered[i].header().Created > within.to }) - 1
	if after != "" {
		j, err := place(after, "starting_after")
		if err != nil {
			return nil, err
		}
		i = min(i, j-1)
	}
	for ; i >= 0 && ordered[i].header().Created >= within.from && !add(ordered[i]); i-- {
	}
	return page, nil
}
