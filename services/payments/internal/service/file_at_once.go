package service

import (
	"context"
	"time"

	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/webhook"
)

// fileAtOnce files an event from which nothing follows, which most are: with
// its final status and in one commit, instead of first in hand and then
// finished. It returns false, with nothing done, for every other event, and for
// one that was delivered before.
func (s *Service) fileAtOnce(ctx context.Context, filed webhook.Event, unreadable error, payload []byte, now time.Time) (status string, done bool, err error) {
	f := store.Finished{Event: filed, Payload: payload, Now: now}
	n, v, decided := s.atFirstSight(filed, unreadable)
	switch {
	case decided:
	case s.Stripe.IsOurs(n.Subject.Metadata):
		return "", false, nil
	case n.kind == chargeChanged && !n.IsCharge:
		return "", false, nil // whose it is, only the charge at Stripe tells
	default:
		// Without our marker it is somebody else's, unless what it names is known here.
		v, f.Unless = verdict{status: store.Ignored, note: "foreign"}, n.Subject
	}
	f.Status, f.Method, f.Note = v.status, v.method, v.note
	if done, err = s.Store.FileFinished(ctx, f); done {
		s.Metrics.begin(byDelivery)
		s.Metrics.end(filed.Type, filed.Livemode, v.status, v.method)
		s.Log.Info("event", "event_id", filed.ID, "status", v.status, "resolution_method", v.method)
	}
	return v.status, done, err
}
