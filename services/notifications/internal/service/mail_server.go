package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	render "makegood.example/services/notifications/internal/mail"
)

const (
	// serverPatience is how long the mail server may fail before a person is
	// asked: what is shorter mends itself, and the mails go out then.
	serverPatience = time.Hour
	// serverApart is longer than every pause between two attempts: failures
	// further apart are not one trouble.
	serverApart = 6 * time.Hour
	// serverSubject makes it one case, however many messages wait.
	serverSubject = "mail-server"
)

// noteServer draws from how a mail was sent whether the mail server can be
// used. The delivery does not depend on it: the next attempt notes it again.
func (s *Service) noteServer(ctx context.Context, sent error) {
	note, cancel := outlive(ctx)
	defer cancel()
	var failed *render.Error
	var err error
	switch {
	case sent == nil, errors.As(sent, &failed) && !failed.Server:
		err = s.Store.NoteServerAnswer(note)
	case failed != nil && ctx.Err() == nil: // or it was us who broke off
		err = s.noteServerFailure(note, failed)
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "how the mail server is cannot be noted", "error", err)
	}
}

func (s *Service) noteServerFailure(ctx context.Context, failed *render.Error) error {
	now := s.Now()
	since, err := s.Store.NoteServerFailure(ctx, now, now.Add(-serverApart))
	if err != nil || now.Sub(since) <= serverPatience {
		return err
	}
	s.Log.ErrorContext(ctx, "no mail can be sent", "since", since, "error", failed)
	return s.Cases.OpenUndelivered(ctx, serverSubject, fmt.Sprintf(
		"No mail can be sent since %s: %v. Every message waits and is tried again, each for %d hours. Check the mail server and SMTP_URL.",
		since.UTC().Format("2 January 2006, 15:04 UTC"), failed, int(GiveUpAfter.Hours())))
}
