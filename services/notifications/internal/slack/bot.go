// Package slack tells the team at Slack: with a bot's token, where what was posted can
// be changed and answered in its thread, or by an incoming webhook, which only posts.
package slack

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/service"
)

// API is where Slack is.
const API = "https://slack.com/api"

// Bot posts with a bot's token.
type Bot struct {
	// Base is Slack's address, without a slash at its end.
	Base string
	// Token is the bot's; Channel is where it posts, best its id.
	Token, Channel string
	// Admin is where the console is, without a slash at its end.
	Admin string
}

// Name is the channel's.
func (b *Bot) Name() string { return "slack" }

// CanUpdate says that what was posted can be changed.
func (b *Bot) CanUpdate() bool { return true }

// place is where a message stands: a channel's id and the message's time.
type place struct{ channel, ts string }

func placeOf(thread string) place {
	channel, ts, _ := strings.Cut(thread, " ")
	return place{channel, ts}
}

func (p place) String() string {
	if p.ts == "" {
		return ""
	}
	return p.channel + " " + p.ts
}

// Tell posts an incident once, changes it from then on, and answers in its thread what
// is new.
func (b *Bot) Tell(ctx context.Context, i incident.Incident, t incident.Told, act incident.Act, now time.Time) (string, error) {
	root := placeOf(t.Thread)
	if root.ts == "" {
		if act == incident.Close {
			return "", nil // somebody deleted it
		}
		return b.announce(ctx, i, t, now)
	}
	switch err := b.update(ctx, root, i, act, now); {
	case gone(err) && act == incident.Close:
		return "", nil
	case gone(err):
		t.Begun = nil // of that, at least, nothing is left
		return b.announce(ctx, i, t, now)
	case err != nil || act == incident.Update:
		return t.Thread, err
	}
	mark := mark(i, act)
	if t.Begun != nil {
		if _, found, err := b.find(ctx, root, *t.Begun, mark); err != nil || found {
			return t.Thread, err
		}
	}
	_, err := b.post(ctx, reply(root, i, act, mark))
	return t.Thread, err
}

func (b *Bot) announce(ctx context.Context, i incident.Incident, t incident.Told, now time.Time) (string, error) {
	mark := mark(i, incident.Announce)
	if t.Begun != nil {
		switch at, found, err := b.find(ctx, place{channel: b.Channel}, *t.Begun, mark); {
		case err != nil:
			return "", err
		case found: // it may have been posted before what is so now
			return at.String(), b.update(ctx, at, i, incident.Update, now)
		}
	}
	act := incident.Announce
	if i.News > 1 {
		act = incident.Again // with why it is told
	}
	m := message(i, act, b.Admin, now)
	m.Channel, m.Metadata = b.Channel, mark
	at, err := b.post(ctx, m)
	return at.String(), err
}

// mark names a post, so that one whose end is not known can be found again: Slack
// takes no idempotency key.
func mark(i incident.Incident, act incident.Act) *metadata {
	part := "root"
	switch act {
	case incident.Again:
		part = "news-" + strconv.FormatInt(i.News, 10)
	case incident.Close:
		part = "over"
	}
	return &metadata{EventType: "makegood_incident", Payload: map[string]string{
		"incident": fmt.Sprintf("%d-%d", i.ID, i.OpenedAt.Unix()), "part": part,
	}}
}

func (b *Bot) post(ctx context.Context, m outgoing) (place, error) {
	var posted struct {
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	err := b.call(ctx, "chat.postMessage", m, &posted)
	return place{posted.Channel, posted.TS}, err
}

func (b *Bot) update(ctx context.Context, at place, i incident.Incident, act incident.Act, now time.Time) error {
	m := message(i, act, b.Admin, now)
	m.Channel, m.TS, m.Metadata = at.channel, at.ts, mark(i, incident.Announce)
	return b.call(ctx, "chat.update", m, nil)
}

const (
	// findBefore is how much earlier by Slack's clock a post may seem than by ours.
	findBefore = time.Minute
	// findPages bounds how much of a channel is read for a post.
	findPages = 5
)

// find looks for a post of ours since about begun: in the thread of a message, or in
// the channel when at names none. Where Slack does not let us read, nothing is found:
// the team hears twice rather than not at all.
func (b *Bot) find(ctx context.Context, at place, begun time.Time, wanted *metadata) (place, bool, error) {
	method := "conversations.history"
	query := url.Values{
		"channel": {at.channel}, "oldest": {strconv.FormatInt(begun.Add(-findBefore).Unix(), 10)},
		"include_all_metadata": {"true"}, "limit": {"200"},
	}
	if at.ts != "" {
		method = "conversations.replies"
		query.Set("ts", at.ts)
	}
	for range findPages {
		var page struct {
			Messages []struct {
				TS       string   `json:"ts"`
				Metadata metadata `json:"metadata"`
			} `json:"messages"`
			Next struct {
				Cursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := b.get(ctx, method, query, &page); err != nil {
			if permanent(err) {
				return place{}, false, nil
			}
			return place{}, false, err
		}
		for _, m := range page.Messages {
			if m.Metadata.is(wanted) {
				return place{at.channel, m.TS}, true, nil
			}
		}
		if page.Next.Cursor == "" {
			break
		}
		query.Set("cursor", page.Next.Cursor)
	}
	return place{}, false, nil
}

var _ service.Poster = (*Bot)(nil)
