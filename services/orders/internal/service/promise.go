package service

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/due"
)

// How recoveries are measured.
const (
	measuredOver = 30 * 24 * time.Hour
	// fewest recoveries say something about the next one.
	fewest = 20
	// measuredFor is how long a measurement is used.
	measuredFor = 5 * time.Minute
	// measureTimeout bounds the measurement: whoever waits for it has paid.
	measureTimeout = 500 * time.Millisecond
)

// recoveries is how long they took lately, as it was last measured.
type recoveries struct {
	mu         sync.Mutex
	measuredAt time.Time
	took       time.Duration
}

// recovery is how long a recovery takes at the most: two of the order's own looks, or
// what nearly all took lately when that was longer.
func (s *Service) recovery(ctx context.Context) time.Duration {
	settings := s.Settings.RescueAfter + due.Backoff(s.Settings.RescueAfter, 1)
	r, now := &s.recoveries, s.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measuredAt.IsZero() || now.Sub(r.measuredAt) >= measuredFor {
		ctx, cancel := context.WithTimeout(ctx, measureTimeout)
		defer cancel()
		took, count, err := s.Store.SlowestRecovery(ctx, now.Add(-measuredOver))
		switch {
		case err != nil:
			s.Log.WarnContext(ctx, "recoveries could not be measured; what was measured before is used", "error", err)
		case count < fewest:
			r.took = 0
		default:
			r.took = took
		}
		r.measuredAt = now
	}
	return max(settings, r.took)
}

// keepWord tells the buyer of an order that waits what they must hear by now, in the
// transaction that writes it down: so it is said once, by whichever look, and a
// promise that was not kept is followed by the next.
func (s *Service) keepWord(ctx context.Context, id uuid.UUID, why order.Why) error {
	for range maxSteps {
		o, err := s.Store.Get(ctx, id)
		if err != nil {
			return err
		}
		was, now := o, s.Now()
		first, n := s.Settings.RescueAfter, max(int(o.LookCount), 1)
		kinds := o.Word(now, order.Patience{
			Recovery: s.recovery(ctx), NextLooks: due.Backoff(first, n) + due.Backoff(first, n+1),
			StillWorkingAfter: s.Settings.StillWorkingAfter, OfferFor: s.Settings.RefundOfferFor,
		}, rand.Text)
		if o == was {
			return nil
		}
		o.NextLookAt = o.LookBy(now, now.Add(due.Backoff(first, n)), s.Settings.StillWorkingAfter)
		err = s.Store.InTx(ctx, func(tx pgx.Tx) error {
			if err := s.Store.Update(ctx, tx, was, o, why, wordNote(was, o, kinds), now); err != nil {
				return err
			}
			for _, kind := range kinds {
				if err := s.Messages.Queue(ctx, tx, clients.Message{DedupeKey: "order/" + id.String() + wordKeys[kind], Kind: kind, OrderID: id}); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
	return nil // somebody is at it; the order stays due
}

// wordKeys end the dedupe keys of words to a buyer who waits.
var wordKeys = map[string]string{"STILL_WORKING": "/still-working", "REFUND_OFFER": "/refund-offer"}

// wordNote is what history keeps of it.
func wordNote(was, o order.Order, kinds []string) (note string) {
	const minute = "15:04:05 MST"
	if o.MissedCount > was.MissedCount {
		note = "not kept: by " + was.PromiseBy.UTC().Format(minute) + "; "
	}
	for _, kind := range kinds {
		note += "the buyer is told " + kind + "; "
	}
	return note + "promised by " + o.PromiseBy.UTC().Format(minute)
}
