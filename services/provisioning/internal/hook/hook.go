// Package hook is what the SaaS's own app is told: that the access of an account
// changed. It knows no database and no wire.
package hook

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// State is how far a hook is.
type State string

const (
	// Queued is to be delivered.
	Queued State = "QUEUED"
	// Delivered was taken by the app.
	Delivered State = "DELIVERED"
	// Failed was given up on; it can be replayed.
	Failed State = "FAILED"
)

const (
	// GiveUpAfter is how long the app may refuse one hook before the next is tried.
	GiveUpAfter = 7 * 24 * time.Hour
	// Overdue is how long a hook may wait before a person should know.
	Overdue = time.Hour
	// FirstRetry is the first pause after a failure; each is twice the one before,
	// at most an hour.
	FirstRetry = 5 * time.Second
)

// Hook says how the access of one account stood from ChangedAt on.
type Hook struct {
	ID        uuid.UUID
	AccountID uuid.UUID
	// Sequence counts the account's hooks from 1.
	Sequence int64
	Active   bool
	// Until is the first moment without access, or since when there is none; nil
	// when nothing was ever granted or all was withdrawn.
	Until     *time.Time
	ChangedAt time.Time
	State     State
	// Attempts are the deliveries begun since FirstTriedAt.
	Attempts     int
	FirstTriedAt *time.Time
	LastError    string
	DeliveredAt  *time.Time
}

// body is a Standard Webhooks payload.
type body struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	AccountID uuid.UUID  `json:"account_id"`
	Active    bool       `json:"active"`
	Until     *time.Time `json:"until"`
	ChangedAt time.Time  `json:"changed_at"`
}

// Type names the one kind of hook there is.
const Type = "access.changed"

// Body is what is signed and sent; the same hook has always the same body.
func (h Hook) Body() ([]byte, error) {
	d := data{AccountID: h.AccountID, Active: h.Active, ChangedAt: h.ChangedAt.UTC()}
	if h.Until != nil {
		until := h.Until.UTC()
		d.Until = &until
	}
	return json.Marshal(body{Type: Type, Timestamp: d.ChangedAt, Data: d})
}
