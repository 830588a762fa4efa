// Package cases is the other half of Reconciliation's domain: what a machine
// has given up on and a person must look at. It knows no database and no wire.
package cases

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// Kind says what a case is about.
type Kind string

// StuckOrder is an order that several looks could not finish; the only kind
// that closes by itself. The other kinds are named by whoever reports them, and
// listed in the contract and in the table.
const StuckOrder Kind = "STUCK_ORDER"

// State is whether a case still needs somebody.
type State string

// The states of a case.
const (
	Open     State = "OPEN"
	Resolved State = "RESOLVED"
)

// Case is something that needs a person. While it is open there is one per
// kind and subject, however often it is reported.
type Case struct {
	ID            int64
	Kind          Kind
	Subject       string
	State         State
	Summary       string
	OpenedAt      time.Time
	ResolvedAt    *time.Time
	ReportedCount int
	// LastReportedAt is when it was reported most recently.
	LastReportedAt time.Time
}

// Position is where a page of cases ended; the zero Position is before all.
type Position struct {
	OpenedAt time.Time
	ID       int64
}

// Position is the case's own place in the list.
func (c Case) Position() Position { return Position{OpenedAt: c.OpenedAt, ID: c.ID} }

// OrderID is the order that the case is about, if its subject is "order/<id>".
func (c Case) OrderID() (id uuid.UUID, ok bool) {
	text, ok := strings.CutPrefix(c.Subject, "order/")
	if !ok {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}
