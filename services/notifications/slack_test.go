package notifications_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// slackMessage is one that stands at Slack.
type slackMessage struct {
	ts, thread, text string
	body             string // all of it, as it was sent
	broadcast        bool
	metadata         json.RawMessage
	updates          int
}

// fakeSlack speaks Slack's wire format, and keeps what was posted.
type fakeSlack struct {
	*httptest.Server
	mu       sync.Mutex
	messages []*slackMessage
	webhook  []string
	n        int
	// fail answers a call instead; false lets it through.
	fail func(method string, w http.ResponseWriter) bool
	// lose breaks the connection after a post was taken.
	lose bool
	// blind refuses to show what is in a channel.
	blind bool
	calls map[string]int
}

func startSlack(t *testing.T) *fakeSlack {
	t.Helper()
	s := &fakeSlack{calls: map[string]int{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *fakeSlack) set(change func(*fakeSlack)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *fakeSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	s.calls[method]++
	if s.fail != nil && s.fail(method, w) {
		return
	}
	if method == "/hook" {
		var m struct{ Text string }
		if r.Header.Get("Content-Type") != "application/json; charset=utf-8" || json.NewDecoder(r.Body).Decode(&m) != nil || m.Text == "" {
			http.Error(w, "invalid_payload", http.StatusBadRequest)
			return
		}
		s.webhook = append(s.webhook, m.Text)
		_, _ = fmt.Fprint(w, "ok")
		return
	}
	answer := func(v map[string]any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(v)
	}
	refuse := func(word string) { answer(map[string]any{"ok": false, "error": word}) }
	if r.Header.Get("Authorization") != "Bearer xoxb-of-tests" {
		refuse("invalid_auth")
		return
	}
	switch method {
	case "conversations.history", "conversations.replies":
		s.show(method, r, answer, refuse)
		return
	}
	var m struct {
		Channel, TS, Text string
		ThreadTS          string          `json:"thread_ts"`
		Broadcast         bool            `json:"reply_broadcast"`
		Metadata          json.RawMessage `json:"metadata"`
		Blocks            []struct {
			Type string
			Text struct{ Type, Text string }
		}
	}
	if json.NewDecoder(r.Body).Decode(&m) != nil || m.Text == "" {
		refuse("no_text")
		return
	}
	if m.Channel != "C0ALERTS" {
		refuse("channel_not_found")
		return
	}
	var parts []string
	for _, b := range m.Blocks {
		if b.Type != "section" || b.Text.Type != "mrkdwn" || b.Text.Text == "" || len(b.Text.Text) > 3000 {
			refuse("invalid_blocks")
			return
		}
		parts = append(parts, b.Text.Text)
	}
	body := strings.Join(parts, "\n")
	switch method {
	case "chat.postMessage":
		s.n++
		posted := &slackMessage{ts: fmt.Sprintf("%d.%06d", time.Now().Unix(), s.n), thread: m.ThreadTS, text: m.Text, body: body, broadcast: m.Broadcast, metadata: m.Metadata}
		s.messages = append(s.messages, posted)
		if s.lose {
			s.lose = false
			panic(http.ErrAbortHandler)
		}
		answer(map[string]any{"ok": true, "channel": m.Channel, "ts": posted.ts, "message": map[string]any{"text": m.Text}})
	case "chat.update":
		at := slices.IndexFunc(s.messages, func(p *slackMessage) bool { return p.ts == m.TS })
		if at < 0 {
			refuse("message_not_found")
			return
		}
		s.messages[at].text, s.messages[at].body = m.Text, body
		s.messages[at].updates++
		answer(map[string]any{"ok": true, "channel": m.Channel, "ts": m.TS, "text": m.Text})
	default:
		refuse("unknown_method")
	}
}

func (s *fakeSlack) show(method string, r *http.Request, answer func(map[string]any), refuse func(string)) {
	q := r.URL.Query()
	if s.blind {
		refuse("missing_scope")
		return
	}
	if q.Get("channel") != "C0ALERTS" || q.Get("include_all_metadata") != "true" {
		refuse("channel_not_found")
		return
	}
	var shown []map[string]any
	for _, m := range s.messages {
		inThread := method == "conversations.replies" && (m.thread == q.Get("ts") || m.ts == q.Get("ts"))
		if inThread || method == "conversations.history" && (m.thread == "" || m.broadcast) {
			shown = append(shown, map[string]any{"type": "message", "ts": m.ts, "text": m.text, "metadata": m.metadata})
		}
	}
	answer(map[string]any{"ok": true, "messages": shown, "has_more": false})
}

// roots are what stands in the channel itself, and replies what is in its threads.
func (s *fakeSlack) roots() (texts []string) {
	s.set(func(s *fakeSlack) {
		for _, m := range s.messages {
			if m.thread == "" {
				texts = append(texts, m.text)
			}
		}
	})
	return texts
}

func (s *fakeSlack) replies() (texts []string) {
	s.set(func(s *fakeSlack) {
		for _, m := range s.messages {
			if m.thread != "" {
				texts = append(texts, m.text)
			}
		}
	})
	return texts
}

func newSlacked(t *testing.T, settings map[string]string) (*world, *fakeSlack) {
	s := startSlack(t)
	w := newWorld(t)
	w.slackAPI = s.URL + "/api"
	all := map[string]string{"RECONCILE_EVERY": "off", "ADMIN_URL": "https://admin.example.com"}
	for k, v := range settings {
		all[k] = strings.ReplaceAll(v, "SLACK", s.URL)
	}
	w.with(all)
	return w, s
}

var bot = map[string]string{"SLACK_BOT_TOKEN": "xoxb-of-tests", "SLACK_CHANNEL": "C0ALERTS"}

func and(a map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for k, v := range a {
		all[k] = v
	}
	for n := 0; n < len(more); n += 2 {
		all[more[n]] = more[n+1]
	}
	return all
}

func wantTexts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAStormIsOneMessageThatIsEdited(t *testing.T) {
	w, s := newSlacked(t, and(bot, "ALERT_EMAILS", "ops@example.com"))
	for n := int64(10); n <= 1000; n += 10 {
		w.report(orphans(n))
	}
	w.settle(soon)
	wantTexts(t, "the channel", s.roots(), "Today: 1000 charges have no order")
	for n := int64(1010); n <= 2000; n += 10 {
		w.report(orphans(n))
	}
	w.settle(soon)
	wantTexts(t, "the channel", s.roots(), "Today: 2000 charges have no order")
	s.set(func(s *fakeSlack) {
		if got := s.messages[0]; got.updates > 3 || !strings.Contains(got.body, "<https://admin.example.com/incidents/unidentified-charge|the console>") ||
			!strings.Contains(got.body, "ch_1: $249.00 <https://admin.example.com/cases/1|open>") {
			t.Errorf("after %d updates it reads\n%s", got.updates, got.body)
		}
	})
	w.acknowledge("unidentified-charge", "sam")
	w.settle(soon)
	s.set(func(s *fakeSlack) {
		if !strings.Contains(s.messages[0].body, "sam looks after it") {
			t.Errorf("it does not say who looks after it:\n%s", s.messages[0].body)
		}
	})
	w.report(orphans(10000))
	w.settle(soon)
	wantTexts(t, "the thread", s.replies(), "Today: 10000 charges have no order: it grew from 1000 to 10000.")
	w.report()
	w.settle(soon)
	wantTexts(t, "the channel", s.roots(), "Over: 10000 charges have no order")
	wantTexts(t, "the thread", s.replies(), "Today: 10000 charges have no order: it grew from 1000 to 10000.", "Over: 10000 charges have no order")
	w.wantHeads("Today: 1000 charges have no order", "Today: 10000 charges have no order", "Over: 10000 charges have no order")
}

func TestAWebhookIsToldOfTheOpeningAndTheEndOnly(t *testing.T) {
	w, s := newSlacked(t, map[string]string{"SLACK_WEBHOOK_URL": "SLACK/hook"})
	w.report(orphans(1))
	w.settle(soon)
	w.report(orphans(50))
	w.settle(soon)
	w.acknowledge("unidentified-charge", "sam")
	w.settle(soon)
	w.report()
	w.settle(soon)
	s.set(func(s *fakeSlack) {
		wantTexts(t, "the webhook", s.webhook, "Today: 1 charges have no order", "Over: 50 charges have no order")
	})
}

// The answer to a post was lost: it is looked for before it is posted again.
func TestAPostWhoseEndIsNotKnownIsNotPostedTwice(t *testing.T) {
	w, s := newSlacked(t, bot)
	s.set(func(s *fakeSlack) { s.lose = true })
	w.report(unserved(1))
	w.settle(time.Second)
	w.settle(soon)
	s.set(func(s *fakeSlack) { s.lose = true })
	w.report(unserved(10))
	w.settle(soon, soon)
	s.set(func(s *fakeSlack) { s.lose = true })
	w.report()
	w.settle(soon, soon)
	wantTexts(t, "the channel", s.roots(), "Over: A customer paid and has no access")
	wantTexts(t, "the thread", s.replies(), "Now: A customer paid and has no access: it grew from 1 to 10.", "Over: A customer paid and has no access")
}

// Where the app may not read the channel, the team hears twice rather than not at all.
func TestWithoutTheRightToReadALostPostIsPostedOnceMore(t *testing.T) {
	w, s := newSlacked(t, bot)
	s.set(func(s *fakeSlack) { s.lose, s.blind = true, true })
	w.report(unserved(1))
	w.settle(time.Second, soon, soon)
	if got := s.roots(); len(got) != 2 {
		t.Errorf("the channel: %q", got)
	}
}

func TestABusySlackIsGivenTheTimeItAsksFor(t *testing.T) {
	w, s := newSlacked(t, and(bot, "ALERT_EMAILS", "ops@example.com"))
	s.set(func(s *fakeSlack) {
		s.fail = func(_ string, w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
	})
	w.report(unserved(1))
	w.settle(time.Second, 100*time.Second)
	s.set(func(s *fakeSlack) {
		if s.calls["chat.postMessage"] != 1 {
			t.Errorf("asked %d times", s.calls["chat.postMessage"])
		}
		s.fail = nil
	})
	w.settle(30 * time.Second)
	wantTexts(t, "the channel", s.roots(), "Now: A customer paid and has no access")
	w.wantHeads("Now: A customer paid and has no access") // that it is busy is no failure
}

func TestWhenSlackFailsTheMailSaysSoOnce(t *testing.T) {
	for name, fail := range map[string]func(string, http.ResponseWriter) bool{
		"invalid_auth": func(_ string, w http.ResponseWriter) bool {
			_, _ = fmt.Fprint(w, `{"ok":false,"error":"invalid_auth"}`)
			return true
		},
		"channel_not_found": func(_ string, w http.ResponseWriter) bool {
			_, _ = fmt.Fprint(w, `{"ok":false,"error":"channel_not_found"}`)
			return true
		},
		"status 503": func(_ string, w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newSlacked(t, and(bot, "ALERT_EMAILS", "ops@example.com"))
			s.set(func(s *fakeSlack) { s.fail = fail })
			w.report(unserved(1))
			w.settle(time.Second)
			w.settle(soon, soon, soon)
			if w.mailsWith("Now: Alerts do not arrive by one of their ways") != 1 || w.mailsWith("slack, since") != 1 || w.mailsWith(name) != 1 {
				t.Errorf("the mails are %q", w.mail.mails())
			}
			s.set(func(s *fakeSlack) { s.fail = nil })
			w.settle(10*time.Minute, soon)
			if got := s.roots(); !slices.Contains(got, "Now: A customer paid and has no access") {
				t.Errorf("the channel: %q", got)
			}
			w.until("the mail says that it works", func() bool { return w.mailsWith("Over: Alerts do not arrive by one of their ways") == 1 })
			if len(w.heads()) != 3 {
				t.Errorf("the mails are %q", w.heads())
			}
		})
	}
}

func TestWhenAMailIsRefusedSlackSaysSoOnce(t *testing.T) {
	w, s := newSlacked(t, and(bot, "ALERT_EMAILS", "ops@example.com, gone@example.com"))
	w.mail.answer(func(to string) error {
		if to == "gone@example.com" {
			return &smtp.SMTPError{Code: 550, Message: "no such user"}
		}
		return nil
	}, nil)
	w.report(unserved(1))
	w.until("Slack says so", func() bool {
		return slices.Contains(s.roots(), "Now: Alerts do not arrive by one of their ways")
	})
	w.report()
	w.settle(soon, soon)
	s.set(func(s *fakeSlack) {
		if len(s.messages) != 3 || !strings.Contains(s.messages[1].body, "mail-2, since") || strings.Contains(s.messages[1].body, "gone@") {
			t.Errorf("the channel: %v", s.messages[1].body)
		}
	})
	w.peers.set(func(p *peers) {
		if p.caseCalls != 0 {
			t.Errorf("%d cases", p.caseCalls)
		}
	})
}

func TestWhenNoWayIsLeftItIsInTheLog(t *testing.T) {
	w, s := newSlacked(t, and(bot, "ALERT_EMAILS", "gone@example.com"))
	s.set(func(s *fakeSlack) {
		s.fail = func(_ string, w http.ResponseWriter) bool {
			_, _ = fmt.Fprint(w, `{"ok":false,"error":"token_revoked"}`)
			return true
		}
	})
	w.mail.answer(func(string) error { return &smtp.SMTPError{Code: 550, Message: "no such user"} }, nil)
	w.report(unserved(1))
	w.until("the log says so", func() bool {
		return strings.Contains(w.log.String(), "the team cannot be told anything by any channel")
	})
	w.until("the console shows both", func() bool { return w.incident("alert-channels").GetCount() == 2 })
}

// Somebody tidied up the channel.
func TestAMessageThatWasDeletedIsPostedAnewWhenThereIsNews(t *testing.T) {
	w, s := newSlacked(t, bot)
	w.report(unserved(1))
	w.settle(time.Second)
	s.set(func(s *fakeSlack) { s.messages = nil })
	w.report(unserved(10))
	w.settle(soon)
	wantTexts(t, "the channel", s.roots(), "Now: A customer paid and has no access")
	s.set(func(s *fakeSlack) { s.messages = nil })
	w.report()
	w.settle(soon)
	wantTexts(t, "the channel", s.roots())
}

func TestSlackSettingsBelongTogether(t *testing.T) {
	w := newWorld(t)
	for name, settings := range map[string]map[string]string{
		"SLACK_CHANNEL":     {"SLACK_BOT_TOKEN": "xoxb-secret"},
		"SLACK_BOT_TOKEN":   {"SLACK_CHANNEL": "C1"},
		"SLACK_WEBHOOK_URL": {"SLACK_WEBHOOK_URL": "hooks.example.com/xoxb-secret"},
		"QUIET_HOURS":       {"QUIET_HOURS": "22-7"},
		"time zone":         {"QUIET_HOURS": "22:00-07:00 Europe/Atlantis"},
	} {
		if err := w.refused(settings); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "xoxb-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
