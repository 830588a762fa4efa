package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/store/db"
)

// ChannelDue names what one channel is to be told.
type ChannelDue struct {
	IncidentID int64
	Channel    string
}

// WakeChannels has the channels look at an incident now.
func (s *Store) WakeChannels(ctx context.Context, tx pgx.Tx, incidentID int64, channels []string, now time.Time) error {
	return wrap("wake channels", db.New(tx).WakeChannels(ctx, db.WakeChannelsParams{IncidentID: incidentID, Channels: channels, Now: now}))
}

// ClaimChannels takes at most limit tellings that are due; nobody else has them
// before leasedUntil.
func (s *Store) ClaimChannels(ctx context.Context, now, leasedUntil time.Time, limit int) ([]ChannelDue, error) {
	rows, err := db.New(s.pool).ClaimChannels(ctx, db.ClaimChannelsParams{Now: now, LeasedUntil: leasedUntil, MaxRows: int32(limit)})
	due := make([]ChannelDue, len(rows))
	for n, row := range rows {
		due[n] = ChannelDue(row)
	}
	return due, wrap("claim channels", err)
}

// LockChannel holds what a channel was told.
func (s *Store) LockChannel(ctx context.Context, tx pgx.Tx, d ChannelDue) (incident.Told, error) {
	row, err := db.New(tx).LockChannel(ctx, db.LockChannelParams(d))
	return toTold(row), wrap("lock channel", err)
}

// BeginPost writes down that something is about to be posted.
func (s *Store) BeginPost(ctx context.Context, tx pgx.Tx, d ChannelDue, now time.Time) error {
	return wrap("begin post", db.New(tx).BeginPost(ctx, db.BeginPostParams{IncidentID: d.IncidentID, Channel: d.Channel, BegunAt: &now}))
}

// PutChannel writes what a locked channel was told, and when to look again; nil is
// when the incident changes.
func (s *Store) PutChannel(ctx context.Context, tx pgx.Tx, t incident.Told, nextLookAt *time.Time) error {
	return wrap("put channel", db.New(tx).PutChannel(ctx, db.PutChannelParams{
		IncidentID: t.IncidentID, Channel: t.Channel, News: t.News, Version: t.Version, ToldAt: t.At, Closed: t.Closed,
		Thread: t.Thread, BegunAt: t.Begun, Failures: t.Failures, RetryAt: t.RetryAt, LastError: t.LastError, NextLookAt: nextLookAt,
	}))
}

func toTold(r db.IncidentChannel) incident.Told {
	return incident.Told{
		IncidentID: r.IncidentID, Channel: r.Channel, News: r.News, Version: r.Version, At: r.ToldAt, Closed: r.Closed,
		Thread: r.Thread, Begun: r.BegunAt, Failures: r.Failures, RetryAt: r.RetryAt, LastError: r.LastError,
	}
}

// ChannelFailure is a channel that cannot be used.
type ChannelFailure struct {
	Channel string
	Since   time.Time
	Tier    incident.Tier
	// Told: it is worth telling the others.
	Told bool
	Why  string
}

// NoteChannelFailure writes down that a channel failed at now. It is worth telling
// when tell is set, or when it has lasted since before lastsSince.
func (s *Store) NoteChannelFailure(ctx context.Context, tx pgx.Tx, f ChannelFailure, now, lastsSince time.Time) (told bool, err error) {
	told, err = db.New(tx).NoteChannelFailure(ctx, db.NoteChannelFailureParams{
		Channel: f.Channel, Now: now, Tier: string(f.Tier), Told: f.Told, Why: f.Why, LastsSince: lastsSince,
	})
	return told, wrap("note channel failure", err)
}

// NoteChannelWorks writes down that a channel can be used, and says whether it could not.
func (s *Store) NoteChannelWorks(ctx context.Context, tx pgx.Tx, channel string) (failed bool, err error) {
	n, err := db.New(tx).NoteChannelWorks(ctx, channel)
	return n > 0, wrap("note channel works", err)
}

// FailingChannels are the channels that cannot be used.
func (s *Store) FailingChannels(ctx context.Context, tx pgx.Tx) ([]ChannelFailure, error) {
	rows, err := db.New(tx).FailingChannels(ctx)
	list := make([]ChannelFailure, len(rows))
	for n, r := range rows {
		list[n] = ChannelFailure{Channel: r.Channel, Since: r.Since, Tier: incident.Tier(r.Tier), Told: r.Told, Why: r.Why}
	}
	return list, wrap("failing channels", err)
}

// SentMail is one mail of an incident to one address.
type SentMail struct {
	News      int64
	Closes    bool
	State     message.State
	MessageID string
}

// MailsOfIncident are what one address was sent of an incident, the first first. tx
// may be nil.
func (s *Store) MailsOfIncident(ctx context.Context, tx pgx.Tx, incidentID int64, recipient string) ([]SentMail, error) {
	q := db.New(s.pool)
	if tx != nil {
		q = db.New(tx)
	}
	rows, err := q.MailsOfIncident(ctx, db.MailsOfIncidentParams{IncidentID: &incidentID, Recipient: recipient})
	list := make([]SentMail, len(rows))
	for n, r := range rows {
		list[n] = SentMail{News: *r.News, Closes: r.Closes, State: message.State(r.State), MessageID: r.MessageID}
	}
	return list, wrap("mails of incident", err)
}

// InsertAlert writes what the queued message m says to the team, and to whom.
func (s *Store) InsertAlert(ctx context.Context, tx pgx.Tx, m message.Message, a message.TeamAlert) error {
	return wrap("insert alert", db.New(tx).InsertAlert(ctx, db.InsertAlertParams{
		MessageID: m.ID, Recipient: a.Recipient, Title: a.Title, Lines: a.Lines,
		IncidentID: &a.IncidentID, News: &a.News, Closes: a.Closes, InReplyTo: a.InReplyTo,
	}))
}

// Alert reads what a message says to the team; message.ErrNotFound without.
func (s *Store) Alert(ctx context.Context, messageID uuid.UUID) (message.TeamAlert, error) {
	row, err := db.New(s.pool).AlertOf(ctx, messageID)
	a := message.TeamAlert{Recipient: row.Recipient, Title: row.Title, Lines: row.Lines, Closes: row.Closes, InReplyTo: row.InReplyTo}
	if row.IncidentID != nil {
		a.IncidentID, a.News = *row.IncidentID, *row.News
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("message %s has no text: %w", messageID, message.ErrNotFound)
	}
	return a, wrap("alert", err)
}
