// Package cases is the other half of Reconciliation's domain: what a machine
// has given up on and a person must look at. It knows no database and no wire.
package cases

import (
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

var (
	// ErrNotFound says that no case has that id.
	ErrNotFound = apperr.New(codes.NotFound, "CASE_NOT_FOUND", "there is no case with this id")
	// ErrResolved refuses to work on what is over.
	ErrResolved = apperr.New(codes.Aborted, "INVALID_STATE", "this case is resolved")
	// ErrNews refuses to close a case with something that was not seen.
	ErrNews = apperr.New(codes.Aborted, "INVALID_STATE", "something new was reported about this case since it was read: see what it says now")
	// ErrClaimed refuses to take a case from a colleague by accident.
	ErrClaimed = apperr.New(codes.Aborted, "CASE_CLAIMED", "somebody else works on this case; set take_over to take it all the same")
)

// Kind says what a case is about.
type Kind string

// The kinds whose cases close by themselves when the problem has gone away, or that
// a customer waits for. All kinds are listed in the contract and in the table.
const (
	StuckOrder         Kind = "STUCK_ORDER"
	WrongCharge        Kind = "WRONG_CHARGE"
	FailedEvent        Kind = "FAILED_EVENT"
	UnclearEvent       Kind = "UNCLEAR_EVENT"
	Subscription       Kind = "SUBSCRIPTION"
	UndeliveredMessage Kind = "UNDELIVERED_MESSAGE"
	DuplicateCharge    Kind = "DUPLICATE_CHARGE"
	UnknownPayment     Kind = "UNKNOWN_PAYMENT"
	FailedRefund       Kind = "FAILED_REFUND"
	UnidentifiedCharge Kind = "UNIDENTIFIED_CHARGE"
	ClaimedCharge      Kind = "CLAIMED_CHARGE"
	StripeAccess       Kind = "STRIPE_ACCESS"
	Discrepancy        Kind = "DISCREPANCY"
	UndeliveredHook    Kind = "UNDELIVERED_HOOK"
	Dispute            Kind = "DISPUTE"
	FraudWarning       Kind = "FRAUD_WARNING"
)

// State is whether a case still needs somebody.
type State string

// The states of a case.
const (
	Open     State = "OPEN"
	Resolved State = "RESOLVED"
)

// System is the actor of what no person did.
const System = "system"

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
	// Version grows with each report that says something new.
	Version int64
	// LastReportedAt is when it was reported most recently.
	LastReportedAt time.Time
	// WaitingSince is since when a customer waits because of it; nil for nobody.
	WaitingSince *time.Time
	// ClaimedBy is who works on it; empty while nobody does.
	ClaimedBy string
	ClaimedAt *time.Time
	// AcknowledgedBy has seen it; empty while nobody said so.
	AcknowledgedBy string
	AcknowledgedAt *time.Time
	// SnoozedUntil: out of the queue until then; nil when it is not.
	SnoozedUntil *time.Time
	ResolvedBy   string
	Resolution   string
	// Urgent: a customer paid and has no access past what was promised.
	Urgent     bool
	NextLookAt *time.Time
	Events     []Event
}

// What happened to a case.
const (
	Opened     = "opened"
	Reported   = "reported"
	Claimed    = "claimed"
	HandedOver = "handed over"
	Seen       = "acknowledged"
	Snoozed    = "snoozed"
	Woken      = "woken"
	Closed     = "resolved"
)

// Event is one entry of a case's history.
type Event struct {
	What  string
	Actor string
	Note  string
	At    time.Time
}

// Position is where a page of cases ended; the zero Position is before all.
type Position struct {
	WaitingSince time.Time
	OpenedAt     time.Time
	ID           int64
}

// nobodyWaits sorts after every wait.
var nobodyWaits = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Position is the case's own place in the list.
func (c Case) Position() Position {
	p := Position{WaitingSince: nobodyWaits, OpenedAt: c.OpenedAt, ID: c.ID}
	if c.WaitingSince != nil {
		p.WaitingSince = *c.WaitingSince
	}
	return p
}

// OrderID is the order that the case is about, if its subject is "order/<id>" or
// "message/order/<id>/…".
func (c Case) OrderID() (id uuid.UUID, ok bool) {
	text, ok := strings.CutPrefix(strings.TrimPrefix(c.Subject, "message/"), "order/")
	if !ok {
		return uuid.UUID{}, false
	}
	text, _, _ = strings.Cut(text, "/")
	id, err := uuid.Parse(text)
	return id, err == nil
}

// After is what follows prefix in the subject; empty when it does not begin so.
func (c Case) After(prefix string) string {
	rest, ok := strings.CutPrefix(c.Subject, prefix)
	if !ok {
		return ""
	}
	return rest
}

var chargeIDs = regexp.MustCompile(`\b(?:ch|py)_[A-Za-z0-9_]+`)

// ChargeIDs are the charges that the case names, each once.
func (c Case) ChargeIDs() (ids []string) {
	seen := map[string]bool{}
	for _, id := range append(chargeIDs.FindAllString(c.Subject, -1), chargeIDs.FindAllString(c.Summary, -1)...) {
		if !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	return ids
}

// counters are what grows from one report to the next without anything new.
var counters = regexp.MustCompile(`\b\d+ (?:looks?|tries|try|times?|attempts?|deliver(?:y|ies)|hours?|minutes?)\b`)

// SaysTheSame says whether a report tells nothing that the case does not say.
func (c Case) SaysTheSame(summary string) bool {
	return counters.ReplaceAllString(summary, "#") == counters.ReplaceAllString(c.Summary, "#")
}
