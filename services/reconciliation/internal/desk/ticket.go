package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// ErrTicketNotFound says that no ticket has that id.
var ErrTicketNotFound = apperr.New(codes.NotFound, "TICKET_NOT_FOUND", "there is no such ticket")

// TicketState is how far a ticket is. The words are the contract's.
type TicketState string

// The states of a ticket.
const (
	TicketOpen       TicketState = "OPEN"
	TicketInProgress TicketState = "IN_PROGRESS"
	TicketResolved   TicketState = "RESOLVED"
)

// Ticket is something that a customer wrote.
type Ticket struct {
	ID                          int64
	Email, Subject, Description string
	// Category is BILLING, ACCESS or GENERAL.
	Category   string
	State      TicketState
	Resolution string
	ResolvedBy string
	OpenedBy   string
	OpenedAt   time.Time
	// ResolvedAt is nil while it is not.
	ResolvedAt *time.Time
	AssignedTo string
	// OrderIDs and ChargeIDs are its customer's, as they were found by the address.
	OrderIDs, ChargeIDs []string
	// Version grows with each change that a person makes.
	Version int64
	// ChangedByKey is of the last change; nil while there was none.
	ChangedByKey *uuid.UUID
}

// Name is what the audit calls it.
func (t Ticket) Name() string { return TicketName(t.ID) }

// TicketName is what the audit calls the ticket with an id.
func TicketName(id int64) string { return fmt.Sprintf("ticket/%d", id) }

// TicketChange is what somebody wants a ticket to be, as they read it.
type TicketChange struct {
	TicketID, Version int64
	State             TicketState
	Resolution        string
	AssignedTo        string
	// Key names the change.
	Key uuid.UUID
}

// Check refuses what cannot be meant.
func (c TicketChange) Check() error {
	switch said := strings.TrimSpace(c.Resolution) != ""; {
	case c.State == TicketResolved && !said:
		return apperr.Invalid("resolution", "says how it was resolved")
	case c.State != TicketResolved && said:
		return apperr.Invalid("resolution", "belongs to a ticket that is resolved")
	}
	return nil
}

// Changed is the ticket after a change by somebody, and whether that changes anything:
// not when it was this very change that was made last. Errors: ErrState when somebody
// changed it since it was read.
func (t Ticket) Changed(c TicketChange, by string, now time.Time) (Ticket, bool, error) {
	if t.ChangedByKey != nil && *t.ChangedByKey == c.Key {
		return t, false, nil
	}
	if t.Version != c.Version {
		who := ""
		if t.AssignedTo != "" {
			who = " and assigned to " + t.AssignedTo
		}
		return t, false, Because(ErrState, fmt.Sprintf("somebody has changed this ticket since it was read: it is %s%s now, at version %d", t.State, who, t.Version))
	}
	t.State, t.AssignedTo, t.ChangedByKey = c.State, c.AssignedTo, &c.Key
	if c.State == TicketResolved {
		t.Resolution, t.ResolvedBy, t.ResolvedAt = strings.TrimSpace(c.Resolution), by, &now
	} else {
		t.Resolution, t.ResolvedBy, t.ResolvedAt = "", "", nil
	}
	return t, true, nil
}

// Link adds what was found of its customer, and says whether any of it is new. What
// was found once stays: it was theirs.
func (t *Ticket) Link(orderIDs, chargeIDs []string) (news bool) {
	add := func(to *[]string, found []string) {
		for _, id := range found {
			if id != "" && !slices.Contains(*to, id) && len(*to) < ticketLinksMax {
				*to, news = append(slices.Clone(*to), id), true
			}
		}
	}
	add(&t.OrderIDs, orderIDs)
	add(&t.ChargeIDs, chargeIDs)
	return news
}

// ticketLinksMax bounds what one ticket links to; a lookup shows all.
const ticketLinksMax = 100
