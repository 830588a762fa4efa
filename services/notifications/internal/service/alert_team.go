package service

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
)

// AlertTeam tells everybody of the team once, by a plain mail each, and answers how
// many they are. Without anybody it is in the log alone.
func (s *Service) AlertTeam(ctx context.Context, a message.TeamAlert) (recipients int, err error) {
	err = s.Store.InTx(ctx, func(tx pgx.Tx) error { return s.alert(ctx, tx, a) })
	return len(s.Team), err
}

// alert makes an alert as durable as tx.
func (s *Service) alert(ctx context.Context, tx pgx.Tx, a message.TeamAlert) error {
	if len(s.Team) == 0 {
		s.Log.Warn("alert", "alert", a.DedupeKey, "title", a.Title, "lines", a.Lines)
		return nil
	}
	for i, to := range s.Team {
		m := message.New(a.KeyFor(to), message.Alert, uuid.Nil, s.mailDomain(), s.Now())
		switch _, isNew, err := s.Store.Insert(ctx, tx, m); {
		case err != nil:
			return err
		case !isNew:
			continue
		}
		if i == 0 {
			s.Log.Warn("alert", "alert", a.DedupeKey, "title", a.Title)
		}
		if err := s.Store.InsertAlert(ctx, tx, m, a, to); err != nil {
			return err
		}
		if err := s.Queue.EnqueueDelivery(ctx, tx, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// attemptAlert says what was written down: an alert is about no order that could
// make it untrue.
func (s *Service) attemptAlert(ctx context.Context, m message.Message) error {
	a, to, err := s.Store.Alert(ctx, m.ID)
	if err != nil {
		return err
	}
	return s.send(ctx, m, to, render.Rendered{
		Subject: "[" + s.Brand.AppName + "] " + a.OneLine(), Text: strings.Join(a.Lines, "\n") + "\n",
	})
}

// giveUpAlert ends an alert that cannot be delivered. A case about it would be told
// by another alert, and so on.
func (s *Service) giveUpAlert(ctx context.Context, m message.Message, why string) error {
	note, stop := outlive(ctx)
	defer stop()
	s.Log.Error("the team could not be told; check ALERT_EMAILS", "alert", m.DedupeKey, "reason", why)
	return s.rested(m, message.Failed, s.Store.MarkFailed(note, m.ID, why))
}

// FindMessages reads the messages that there are under these keys, and since when
// the mail server cannot be used; nil while it can.
func (s *Service) FindMessages(ctx context.Context, dedupeKeys []string) ([]message.Message, *time.Time, error) {
	failing, err := s.Store.ServerFailingSince(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err := s.Store.Find(ctx, dedupeKeys)
	return found, failing, err
}
