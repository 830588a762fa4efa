package service

import (
	"context"
	"time"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/webhook"
)

// eventsLast is how long Stripe shows an event.
const eventsLast = 30 * 24 * time.Hour

// CaughtUp is what came of reading one page of Stripe's own events.
type CaughtUp struct {
	Read, Added int
	Next        string
}

// CatchUpEvents reads one page of Stripe's own list of events, newest first, and
// files those that the ledger lacks. They are due at once, and are handled like
// a delivery by the ledger's own retry. A type from which nothing follows is left
// out: it would only be filed as ignored. Errors: payment.ErrUnreachable.
func (s *Service) CatchUpEvents(ctx context.Context, w payment.Window, after string) (CaughtUp, error) {
	now := s.Now()
	if oldest := now.Add(-eventsLast); w.From.Before(oldest) {
		w.From = oldest
	}
	page, next, err := s.Stripe.ListEvents(ctx, w, after)
	if err != nil {
		return CaughtUp{}, s.noPage(ctx, after, err)
	}
	var events []webhook.Event
	var payloads [][]byte
	for _, e := range page {
		if kinds[e.Type] == noNews {
			continue
		}
		event, err := webhook.Parse(e.Raw)
		if err != nil {
			event = webhook.Event{ID: e.ID, Type: e.Type, Livemode: s.Stripe.Livemode()} // its handling says what is wrong with it
		}
		events, payloads = append(events, event), append(payloads, e.Raw)
	}
	added, err := s.Store.FileEvents(ctx, events, payloads, now)
	if added > 0 {
		s.Log.WarnContext(ctx, "events that were never delivered were found in Stripe's own list", "count", added)
	}
	return CaughtUp{Read: len(page), Added: added, Next: next}, err
}
