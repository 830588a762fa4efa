package message

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// TeamAlert is a mail to one of the people who run this.
type TeamAlert struct {
	Recipient string
	Title     string
	Lines     []string
	// IncidentID and News are what it is about; 0 for what an earlier version of us
	// queued. Closes: it says that the incident is over.
	IncidentID, News int64
	Closes           bool
	// At is when the news came: ids begin again in a database that was restored.
	At time.Time
	// InReplyTo is the Message-ID of the first mail of the incident; empty on that.
	InReplyTo string
}

// AddressKey names an address without saying it.
func AddressKey(address string) string {
	to := uuid.NewSHA1(keys, []byte(strings.ToLower(address)))
	return hex.EncodeToString(to[:6])
}

// DedupeKey is the key of the mail. Each address has a mail of its own: one that is
// refused must not stop the others.
func (a TeamAlert) DedupeKey() string {
	what := fmt.Sprint(a.News)
	if a.Closes {
		what = "over"
	}
	return fmt.Sprintf("incident/%d/%d/%s/%s", a.IncidentID, a.At.Unix(), what, AddressKey(a.Recipient))
}
