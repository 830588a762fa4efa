package desk

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

var (
	// ErrKeyReused refuses a key that names another wish, or somebody else's.
	ErrKeyReused = apperr.New(codes.Aborted, "IDEMPOTENCY_KEY_REUSED", "this idempotency key was used for another request, or by somebody else")
	// ErrNobody refuses what no named person asks for.
	ErrNobody = apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "only a named person may do that")
	// ErrNothingToRecover says that there is nothing to be made good, and why.
	ErrNothingToRecover = apperr.New(codes.NotFound, "NOTHING_TO_RECOVER", "there is nothing to recover")
	// ErrOrderNotFound says that no order has that id.
	ErrOrderNotFound = apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "there is no such order")
	// ErrChargeNotFound says that Stripe has no such charge.
	ErrChargeNotFound = apperr.New(codes.NotFound, "CHARGE_NOT_FOUND", "Stripe has no such charge")
	// ErrStripeUnreachable says that Stripe could not be read: what it knows is not known.
	ErrStripeUnreachable = apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "Stripe cannot be read right now; nothing is known of what it has")
	// ErrState refuses what cannot be done as things stand.
	ErrState = apperr.New(codes.Aborted, "INVALID_STATE", "that cannot be done as things stand")
)

// Because is err with what is so in this case, for the person who asked.
func Because(err *apperr.Error, why string) *apperr.Error {
	c := *err
	c.Message = why
	return &c
}

// Act is a person's wish to have something done.
type Act struct {
	// Key names the wish: the same again is answered the same.
	Key uuid.UUID
	// RequestHash is the SHA-256 of what was asked.
	RequestHash []byte
	// Actor and Role are of the person's credential.
	Actor, Role string
	// Action is the RPC.
	Action string
	Reason string
	// DryRun: only say what would happen.
	DryRun bool
	// Wish is the SHA-256 of what it comes to, whoever asks and under whatever key, when
	// that must not happen twice because two ask for it; empty otherwise.
	Wish []byte
}

// SameWish is how long the same wish under another key is taken for the same wish.
const SameWish = 2 * time.Minute

// Same is who asked for the same under another key.
type Same struct {
	AuditID int64
	Actor   string
}

// Refused is what whoever asks for it again is told.
func (s Same) Refused(actor string) *apperr.Error {
	who := s.Actor + " has"
	if s.Actor == actor {
		who = "you have"
	}
	return Because(ErrState, fmt.Sprintf("%s asked for the very same a moment ago: see in audit entry %d what came of it. If it is meant a second time, ask again in %d minutes", who, s.AuditID, int(SameWish.Minutes())))
}

// Did is the outcome of what was done, or would be.
func (a Act) Did() Outcome {
	if a.DryRun {
		return WouldDo
	}
	return Done
}

// Outcome is what became of a step.
type Outcome string

// The outcomes. The words are the contract's.
const (
	Done      Outcome = "DONE"
	NotNeeded Outcome = "NOT_NEEDED"
	Failed    Outcome = "FAILED"
	WouldDo   Outcome = "WOULD_DO"
)

// Step is one thing that had to happen, in plain words and without personal data.
type Step struct {
	What    string  `json:"what"`
	Outcome Outcome `json:"outcome"`
	// Note says why, or which.
	Note string `json:"note,omitempty"`
}

// Failure is the first step that did not happen, in words; empty when there is none.
func Failure(steps []Step) string {
	for _, s := range steps {
		if s.Outcome == Failed {
			return s.What + ": " + s.Note
		}
	}
	return ""
}

// AnyDone says whether one of the steps had an effect.
func AnyDone(steps []Step) bool {
	for _, s := range steps {
		if s.Outcome == Done {
			return true
		}
	}
	return false
}

// What a row of the audit says.
const (
	AuditAsked  = "ASKED"
	AuditDone   = "DONE"
	AuditFailed = "FAILED"
)

// Audited is one row of the audit: that something was asked, or what came of it.
type Audited struct {
	ID int64
	At time.Time
	// What is AuditAsked, AuditDone or AuditFailed.
	What string
	Act  Act
	// Subjects are what it is about, the first as the person named it.
	Subjects []string
	// Stood is how it stood, before on AuditAsked and after on the others, as JSON.
	Stood []byte
	Steps []Step
	// Error says why it failed.
	Error string
}

// Entry is one wish in the audit, with the latest that is known of it.
type Entry struct {
	Asked Audited
	// Ended has no What while it is not known what came of it.
	Ended Audited
}
