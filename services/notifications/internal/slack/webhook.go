package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/service"
)

// Webhook posts to an incoming webhook: when an incident opens, and when it is over.
// What it posted cannot be found again: after an attempt whose end is not known, the
// team may hear twice.
type Webhook struct {
	// URL is a secret.
	URL string
	// Admin is where the console is, without a slash at its end.
	Admin string
}

// Name is the channel's.
func (w *Webhook) Name() string { return "slack-webhook" }

// CanUpdate says that what was posted stays.
func (w *Webhook) CanUpdate() bool { return false }

// Tell posts.
func (w *Webhook) Tell(ctx context.Context, i incident.Incident, _ incident.Told, act incident.Act, now time.Time) (string, error) {
	if act == incident.Again {
		return "", nil
	}
	raw, err := json.Marshal(message(i, act, w.Admin, now))
	if err != nil {
		return "", fmt.Errorf("slack webhook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(raw))
	if err != nil {
		return "", &service.TellError{What: "SLACK_WEBHOOK_URL cannot be used", Permanent: true, Unposted: true}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	_, err = exchange(req, "webhook")
	return "", err
}

var _ service.Poster = (*Webhook)(nil)
