package service

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

const stepReply = "reply queued"

// Replied is an answer to a customer.
type Replied struct {
	desk.Letter
	// Queued: it is on its way, rather than only rendered.
	Queued bool
}

// Reply renders an answer from what is so now, and queues it when that is asked for.
// Errors: desk.ErrNotSoYet when what the template says has not happened; UNAVAILABLE
// when it cannot be read whether it has.
func (s *Service) Reply(ctx context.Context, a desk.Act, ask desk.Ask, inReplyTo string, send bool) (Replied, error) {
	if ask.SignedBy == "" {
		ask.SignedBy = a.Actor
	}
	if !send || a.DryRun {
		letter, err := s.write(clients.AsPerson(ctx), ask)
		return Replied{Letter: letter}, err
	}
	key := clients.LetterKey(a.Key.String())
	subject := ask.OrderID
	if subject == "" {
		subject = "reply/" + a.Key.String() // about nobody who was found
	}
	_, err := s.act(ctx, a, deed{
		wish:     string(ask.Template) + " " + ask.OrderID + " " + desk.AddressKey(ask.To),
		subjects: []string{subject},
		stands: func(context.Context) any {
			return map[string]string{"template": string(ask.Template), "order_id": ask.OrderID, "message": key}
		},
		do: func(ctx context.Context) (did, error) {
			// Once queued it stays as it was written, whatever is so by now.
			if _, queued, err := s.Notifications.SentLetter(ctx, key); err != nil || queued {
				return did{steps: []desk.Step{{What: stepReply, Outcome: desk.NotNeeded, Note: "it was queued before"}}}, err
			}
			letter, err := s.write(ctx, ask)
			if err != nil {
				return did{}, err
			}
			err = s.Notifications.SendLetter(ctx, key, ask.OrderID, clients.Letter{To: letter.To, Subject: letter.Subject, Text: letter.Text, InReplyTo: inReplyTo})
			return did{steps: []desk.Step{{What: stepReply, Outcome: desk.Done, Note: string(ask.Template)}}}, err
		},
	})
	if err != nil {
		return Replied{}, err
	}
	sent, queued, err := s.Notifications.SentLetter(ctx, key)
	if err == nil && !queued {
		err = errors.New("a reply that was queued is not among the messages")
	}
	return Replied{Letter: desk.Letter{To: sent.To, Subject: sent.Subject, Text: sent.Text}, Queued: true}, err
}

// write reads the person behind an order, and writes to them.
func (s *Service) write(ctx context.Context, ask desk.Ask) (desk.Letter, error) {
	if ask.OrderID == "" {
		return s.House.Write(desk.Person{}, ask)
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	f := s.find(ctx, desk.Query{Kind: desk.ByID, Text: ask.OrderID})
	p, _, err := f.gather(ctx)
	if err != nil {
		return desk.Letter{}, err
	}
	letter, err := s.House.Write(p, ask)
	// What could not be read is not known to be otherwise.
	if len(p.Unread) > 0 && (errors.Is(err, desk.ErrNotSoYet) || errors.Is(err, desk.ErrOrderNotFound)) {
		return desk.Letter{}, apperr.New(codes.Unavailable, "UNREADABLE", "what this reply says cannot be checked now: "+p.Unread[0]).Because(err)
	}
	return letter, err
}
