package service

import (
	"context"
	"time"

	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/webhook"
)

// FileWebhooks files those of the deliveries from which nothing follows, which
// most are: each with its final status, instead of first in hand and then
// finished, and all in one commit. The others, and those that were delivered
// before or that are not signed, have no status, and nothing is done with them.
func (s *Service) FileWebhooks(ctx context.Context, deliveries []Delivery) (statuses []string, err error) {
	now := s.Now()
	var events []store.Finished
	var which []int
	for i, d := range deliveries {
		if !webhook.Verify(d.Payload, d.Signature, s.Settings.WebhookSecrets, now) {
			continue
		}
		event, unreadable := parse(d.Payload)
		if f, nothingFollows := s.fromWhichNothingFollows(event, unreadable, d.Payload, now); nothingFollows {
			events, which = append(events, f), append(which, i)
		}
	}
	statuses = make([]string, len(deliveries))
	if len(events) == 0 {
		return statuses, nil
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	filed, err := s.file(ctx, events)
	if err != nil {
		return nil, err
	}
	for n, i := range which {
		if filed[n] {
			statuses[i] = events[n].Status
		}
	}
	return statuses, nil
}

// fromWhichNothingFollows is the event with what becomes of it, and whether that
// is all: false for every event that must be handled.
func (s *Service) fromWhichNothingFollows(event webhook.Event, unreadable error, payload []byte, now time.Time) (f store.Finished, is bool) {
	f = store.Finished{Event: event, Payload: payload, Now: now}
	n, v, decided := s.atFirstSight(event, unreadable)
	switch {
	case decided:
	case s.Stripe.IsOurs(n.Subject.Metadata):
		return f, false
	case n.kind == chargeChanged && !n.IsCharge:
		return f, false // whose it is, only the charge at Stripe tells
	default:
		// Without our marker it is somebody else's, unless what it names is known here.
		v, f.Unless = verdict{status: store.Ignored, note: "foreign"}, n.Subject
	}
	f.Status, f.Method, f.Note = v.status, v.method, v.note
	return f, true
}

func (s *Service) file(ctx context.Context, events []store.Finished) (filed []bool, err error) {
	filed, err = s.Store.FileFinished(ctx, events)
	for i, f := range events {
		if err == nil && filed[i] {
			s.Metrics.begin(byDelivery)
			s.Metrics.end(f.Event.Type, f.Event.Livemode, f.Status, f.Method)
			s.Log.InfoContext(ctx, "event", "event_id", f.Event.ID, "status", f.Status, "resolution_method", f.Method)
		}
	}
	return filed, err
}
