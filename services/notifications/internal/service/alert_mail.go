package service

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
)

// queueMail makes a mail about an incident to one address as durable as tx. What it
// says is as of now, and sent only while it is so.
func (s *Service) queueMail(ctx context.Context, tx pgx.Tx, i incident.Incident, act incident.Act, to string) error {
	now := s.now()
	a := message.TeamAlert{
		Recipient: to, Title: i.Headline(act), Lines: incident.PlainLines(i.Lines(act, s.AdminURL, now)),
		IncidentID: i.ID, News: i.News, At: i.NewsAt, Closes: act == incident.Close,
	}
	earlier, err := s.Store.MailsOfIncident(ctx, tx, i.ID, to)
	if err != nil {
		return err
	}
	if len(earlier) > 0 {
		a.InReplyTo = earlier[0].MessageID
	}
	kind := message.Alert
	if i.Tier == incident.Digest {
		kind = message.Digest
	}
	m, isNew, err := s.Store.Insert(ctx, tx, message.New(a.DedupeKey(), kind, uuid.Nil, s.mailDomain(), now))
	if err != nil || !isNew {
		return err
	}
	if err := s.Store.InsertAlert(ctx, tx, m, a); err != nil {
		return err
	}
	return s.Queue.EnqueueDelivery(ctx, tx, m.ID)
}

// attemptAlert sends a mail to one of the team, if it is still so.
func (s *Service) attemptAlert(ctx context.Context, m message.Message) error {
	a, err := s.Store.Alert(ctx, m.ID)
	if err != nil {
		return err
	}
	if why, err := s.overtaken(ctx, a); err != nil || why != "" {
		if err != nil {
			return err
		}
		return s.rested(m, message.Superseded, s.Store.MarkSuperseded(ctx, m.ID, why))
	}
	body := ""
	for _, line := range a.Lines {
		body += line + "\n"
	}
	headers := map[string]string{}
	if a.InReplyTo != "" {
		headers["In-Reply-To"] = "<" + a.InReplyTo + ">"
		headers["References"] = "<" + a.InReplyTo + ">"
	}
	err = s.sendWith(ctx, m, a.Recipient, headers, render.Rendered{Subject: "[" + s.Brand.AppName + "] " + incident.OneLine(a.Title), Text: body})
	s.noteAlertMail(ctx, a, err)
	return err
}

var errEarlierOnItsWay = errors.New("the mail before it is still on its way")

// overtaken says why a mail about an incident need not be sent any more; empty when
// it must.
func (s *Service) overtaken(ctx context.Context, a message.TeamAlert) (why string, err error) {
	if a.IncidentID == 0 {
		return "", nil
	}
	mails, err := s.Store.MailsOfIncident(ctx, nil, a.IncidentID, a.Recipient)
	if err != nil {
		return "", err
	}
	sent := false
	for _, m := range mails {
		switch {
		case m.Closes && !a.Closes:
			return "the incident is over", nil
		case m.Closes:
		case m.News > a.News:
			return "there is newer news of it", nil
		case m.News < a.News || a.Closes:
			if m.State == message.Queued || m.State == message.Sending {
				return "", errEarlierOnItsWay
			}
			sent = sent || m.State == message.Sent
		}
	}
	if a.Closes && !sent {
		return "nobody heard of the incident at this address", nil
	}
	return "", nil
}

// noteAlertMail draws from how a mail to the team was sent whether that way works.
func (s *Service) noteAlertMail(ctx context.Context, a message.TeamAlert, sendErr error) {
	if a.IncidentID == 0 {
		return
	}
	note, cancel := outlive(ctx)
	defer cancel()
	tier, err := s.Store.IncidentTier(note, a.IncidentID)
	var refused *render.Error
	if errors.As(sendErr, &refused) {
		sendErr = &TellError{What: refused.Error(), Permanent: refused.Permanent}
	}
	s.Metrics.told("mail", sendErr == nil)
	if err := errors.Join(err, s.noteChannel(note, mailChannel(a.Recipient), tier, sendErr)); err != nil {
		s.Log.ErrorContext(ctx, "how alerts arrive cannot be noted", "error", err)
	}
}

// giveUpAlert ends a mail to the team that cannot be delivered. A case about it would
// be told by another such mail; the other ways say that this one does not work.
func (s *Service) giveUpAlert(ctx context.Context, m message.Message, why string) error {
	note, stop := outlive(ctx)
	defer stop()
	s.Log.ErrorContext(ctx, "somebody of the team could not be told; check ALERT_EMAILS", "alert", m.DedupeKey, "reason", why)
	return s.rested(m, message.Failed, s.Store.MarkFailed(note, m.ID, why))
}
