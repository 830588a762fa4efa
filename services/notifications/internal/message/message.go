// Package message is the domain: what a message is, when it is still true, and
// which addresses mail can be written to.
package message

import (
	"encoding/hex"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// ErrNotFound says that no message has that id.
var ErrNotFound = apperr.New(codes.NotFound, "MESSAGE_NOT_FOUND", "there is no such message")

// Kind is what a message says.
type Kind string

// The kinds; what each is about is in the contract.
const (
	Confirmation   Kind = "CONFIRMATION"
	Recovery       Kind = "RECOVERY"
	PaymentFailed  Kind = "PAYMENT_FAILED"
	Refund         Kind = "REFUND"
	Renewed        Kind = "RENEWED"
	ActionRequired Kind = "ACTION_REQUIRED"
	AccessEnding   Kind = "ACCESS_ENDING"
	Alert          Kind = "ALERT"
	StillWorking   Kind = "STILL_WORKING"
	RefundOffer    Kind = "REFUND_OFFER"
	RepeatRefused  Kind = "REPEAT_REFUSED"
	// DuplicateRefunded is said in place of Refund.
	DuplicateRefunded Kind = "DUPLICATE_REFUNDED"
	// SupportReply has the words of a person (Letter).
	SupportReply Kind = "SUPPORT_REPLY"
	// Digest goes to the team, as Alert does.
	Digest Kind = "DIGEST"
)

// ToTeam says whether the mail goes to the people who run this.
func (k Kind) ToTeam() bool { return k == Alert || k == Digest }

// HasLink says whether the mail carries a sign-in link.
func (k Kind) HasLink() bool { return k == Confirmation || k == Recovery }

// HasPage says whether the mail leads to the page that shows how its order stands.
func (k Kind) HasPage() bool { return k == StillWorking || k == RefundOffer || k == RepeatRefused }

// OfRefund says whether the mail is about money that goes back.
func (k Kind) OfRefund() bool { return k == Refund || k == DuplicateRefunded }

// State is how far a message has come.
type State string

// The states. SENT, FAILED and SUPERSEDED are at rest.
const (
	Queued     State = "QUEUED"
	Sending    State = "SENDING"
	Sent       State = "SENT"
	Failed     State = "FAILED"
	Superseded State = "SUPERSEDED"
)

// Message is one mail to one person about one order, or about none.
type Message struct {
	ID        uuid.UUID
	DedupeKey string
	Kind      Kind
	State     State
	// OrderID is uuid.Nil on what goes to the team, and on a SupportReply that is about none.
	OrderID uuid.UUID
	// MessageID is the mail's Message-ID without angle brackets.
	MessageID string
	CreatedAt time.Time
	SentAt    *time.Time
	// AttemptCount is how many deliveries have begun.
	AttemptCount int32
	LastError    string
	// Letter is what a SupportReply says, where it was asked for.
	Letter *Letter
}

// keys is the namespace of the ids that derive from dedupe keys.
var keys = uuid.MustParse("6f2b8a3e-5d0c-5c4b-9a67-0e1d4f7b92c8")

// New is a queued message. Its id and its Message-ID derive from the dedupe
// key, so that whatever is lost, a repeat is recognised by mail programs.
func New(dedupeKey string, kind Kind, orderID uuid.UUID, mailDomain string, now time.Time) Message {
	id := uuid.NewSHA1(keys, []byte(dedupeKey))
	return Message{
		ID: id, DedupeKey: dedupeKey, Kind: kind, State: Queued, OrderID: orderID,
		MessageID: hex.EncodeToString(id[:]) + "@" + mailDomain, CreatedAt: now,
	}
}

// AtRest says whether nothing more will happen to the message.
func (m Message) AtRest() bool {
	return m.State == Sent || m.State == Failed || m.State == Superseded
}
