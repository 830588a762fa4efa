package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"makegood.example/services/notifications/internal/service"
)

// outgoing is a message as chat.postMessage, chat.update and a webhook take it.
type outgoing struct {
	Channel string `json:"channel,omitempty"`
	// TS is the message to change.
	TS       string `json:"ts,omitempty"`
	ThreadTS string `json:"thread_ts,omitempty"`
	// Broadcast shows an answer in the channel, too.
	Broadcast bool `json:"reply_broadcast,omitempty"`
	// Text is what notifications show.
	Text        string    `json:"text"`
	Blocks      []block   `json:"blocks,omitempty"`
	Metadata    *metadata `json:"metadata,omitempty"`
	UnfurlLinks bool      `json:"unfurl_links"`
	UnfurlMedia bool      `json:"unfurl_media"`
}

type block struct {
	Type string   `json:"type"`
	Text markdown `json:"text"`
}

type markdown struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type metadata struct {
	EventType string            `json:"event_type"`
	Payload   map[string]string `json:"event_payload"`
}

func (m metadata) is(o *metadata) bool {
	return m.EventType == o.EventType && m.Payload["incident"] == o.Payload["incident"] && m.Payload["part"] == o.Payload["part"]
}

// answerMax bounds what is read of an answer.
const answerMax = 4 << 20

var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// refusal is Slack's word for why not.
type refusal struct {
	*service.TellError
	word string
}

// passing are the refusals that mend themselves; after them a post may stand all the
// same.
var passing = []string{"internal_error", "fatal_error", "service_unavailable", "request_timeout"}

// busy are the refusals of what comes too fast.
var busy = []string{"ratelimited", "rate_limited", "message_limit_exceeded"}

// vanished are the refusals that say that a message is not there any more.
var vanished = []string{"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}

// busyFor is how long to wait where Slack does not say.
const busyFor = 30 * time.Second

func gone(err error) bool {
	var r *refusal
	return errors.As(err, &r) && slices.Contains(vanished, r.word)
}

func permanent(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.Permanent
}

func (r *refusal) Unwrap() error { return r.TellError }

func (b *Bot) call(ctx context.Context, method string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("slack: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.Base+"/"+method, bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("slack: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	return b.do(req, method, into)
}

func (b *Bot) get(ctx context.Context, method string, query url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Base+"/"+method+"?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("slack: %w", err)
	}
	return b.do(req, method, into)
}

// do asks Slack; its answer is a word beside "ok", with status 200, or a status.
func (b *Bot) do(req *http.Request, method string, into any) error {
	req.Header.Set("Authorization", "Bearer "+b.Token)
	raw, err := exchange(req, method)
	if err != nil {
		return err
	}
	var answer struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return &service.TellError{What: method + ": the answer is not Slack's"}
	}
	what := method + ": " + answer.Error
	switch {
	case answer.OK && into != nil:
		if err := json.Unmarshal(raw, into); err != nil {
			return &service.TellError{What: method + ": the answer is not Slack's"}
		}
		return nil
	case answer.OK:
		return nil
	case slices.Contains(busy, answer.Error):
		return &service.TellError{What: what, RetryAfter: busyFor, Unposted: true}
	case slices.Contains(passing, answer.Error):
		return &service.TellError{What: what}
	default:
		return &refusal{&service.TellError{What: what, Permanent: true, Unposted: true}, answer.Error}
	}
}

// exchange answers with the body of a 200. Errors do not quote the address: a
// webhook's is a secret.
func exchange(req *http.Request, what string) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		var asked *url.Error
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return nil, &service.TellError{What: what + ": Slack cannot be reached: " + err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	switch {
	case err != nil:
		return nil, &service.TellError{What: what + ": the answer broke off"}
	case resp.StatusCode == http.StatusTooManyRequests:
		wait := busyFor
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
			wait = time.Duration(seconds) * time.Second
		}
		return nil, &service.TellError{What: what + ": too many requests", RetryAfter: wait, Unposted: true}
	case resp.StatusCode >= http.StatusInternalServerError:
		return nil, &service.TellError{What: fmt.Sprintf("%s: status %d", what, resp.StatusCode)}
	case resp.StatusCode != http.StatusOK:
		return raw, &service.TellError{What: fmt.Sprintf("%s: status %d %s", what, resp.StatusCode, word(raw)), Permanent: true, Unposted: true}
	}
	return raw, nil
}

// word is the one that a webhook answers with, if it is one.
func word(raw []byte) string {
	if len(raw) > 60 || bytes.ContainsFunc(raw, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
		return ""
	}
	return string(raw)
}
