package console

import "github.com/google/uuid"

// newKey is an idempotency key, minted with the form that it travels in: however
// often that form is sent, it is one wish.
func newKey() string { return uuid.NewString() }
