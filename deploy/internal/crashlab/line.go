package crashlab

import (
	"slices"
	"strings"
)

// Strike is what happens at a moment that somebody chose.
type Strike string

// The strikes.
const (
	// Refuse has PostgreSQL answer with an I/O error, and RefuseSerialization that
	// the transaction may be tried again; nothing becomes durable.
	Refuse              Strike = Strike(anError)
	RefuseSerialization Strike = Strike(serialization)
	// LoseBefore ends the connection before anything is durable, LoseAfter when it
	// is and the service does not know.
	LoseBefore Strike = Strike(lostBefore)
	LoseAfter  Strike = Strike(lostAfter)
	// KillBefore and KillAfter are the same with the death of the service.
	KillBefore Strike = Strike(killBefore)
	KillAfter  Strike = Strike(killAfter)
)

// Line is a proxy between one service and PostgreSQL for who decides at each write
// what happens to it, without the lab's points and paths.
type Line struct {
	proxy *proxy
	// URL is where the service finds its database.
	URL string
}

// Chooser decides what becomes of the writes of services. Its methods are called
// from many connections at once.
type Chooser interface {
	// Armed says whether anything may strike the service.
	Armed(service string) bool
	// Reached is called when a write was made that is not durable yet: durable says
	// whether the next step makes it so. Nothing is "".
	Reached(service string, tables []string, durable bool) Strike
	// Die ends the service, and returns when it can have no effect any more.
	Die(service string)
}

// NewLine stands between a service and the database at this URL.
func NewLine(service, database string, c Chooser) (*Line, error) {
	p, url, err := newProxy(service, database, choosing{c})
	if err != nil {
		return nil, err
	}
	return &Line{proxy: p, URL: url}, nil
}

// Cut ends all connections and takes no new ones. It does not wait, so that it may
// be called from Die.
func (l *Line) Cut() { l.proxy.cutAll() }

// choosing makes a Chooser the watcher of a proxy.
type choosing struct{ Chooser }

func (c choosing) armed(service string) bool { return c.Armed(service) }

func (c choosing) reached(m moment) *fault {
	if m.late {
		return nil
	}
	var tables []string
	for _, w := range m.writes {
		for _, op := range w.ops {
			if _, table, _ := strings.Cut(op, " "); !slices.Contains(tables, table) {
				tables = append(tables, table)
			}
		}
	}
	s := c.Reached(m.service, tables, m.durable)
	if s == "" {
		return nil
	}
	return &fault{kind: kind(s), moment: m, kill: func() { c.Die(m.service) }, struck: func() {}}
}
