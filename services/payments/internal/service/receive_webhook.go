package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/payments/internal/webhook"
	"makegood.example/services/platform/due"
)

const (
	// inHandFor is how long one handling keeps an event to itself, and keepEvery how
	// often it says that it still does; one that was killed, or never heard that it has
	// the event, loses no more than that.
	inHandFor = 10 * time.Second
	keepEvery = 3 * time.Second
	// waitForOther is how long a second delivery waits for the first.
	waitForOther = 5 * time.Second
	// failedAfter is how many handlings make an event FAILED, with a case; it is
	// retried all the same, hourly.
	failedAfter = 10
	retryFirst  = 2 * time.Second
	// pageEndsWithin is how long after its time a page of Stripe's may still be said
	// to be open.
	pageEndsWithin = time.Hour
)

// Delivery is an event as Stripe delivered it.
type Delivery struct {
	Payload []byte
	// Signature is the Stripe-Signature header.
	Signature string
}

// ReceiveWebhook files one delivery and handles it. It answers without error
// only when the event's effects are durable or it needs none: what we
// acknowledge, Stripe forgets. Errors: payment.ErrSignature, payment.ErrNotYet.
func (s *Service) ReceiveWebhook(ctx context.Context, d Delivery) (status string, err error) {
	now := s.Now()
	if !webhook.Verify(d.Payload, d.Signature, s.Settings.WebhookSecrets, now) {
		s.Metrics.refuse()
		return "", payment.ErrSignature
	}
	ctx, cancel := detach(ctx)
	defer cancel()
	event, unreadable := parse(d.Payload)
	if done, nothingFollows := s.fromWhichNothingFollows(event, unreadable, d.Payload, now); nothingFollows {
		if filed, err := s.file(ctx, []store.Finished{done}); err != nil || filed[0] {
			return done.Status, err
		}
	}
	f, mine, err := s.Store.BeginDelivery(ctx, event, d.Payload, now, now.Add(inHandFor))
	if err != nil {
		return "", err
	}
	if !mine {
		return s.awaitOther(ctx, event.ID)
	}
	s.Metrics.begin(byDelivery)
	return s.work(ctx, f)
}

// parse reads an event. What Stripe signed and nobody can read is kept under its
// own hash, for a person.
func parse(payload []byte) (event webhook.Event, unreadable error) {
	event, unreadable = webhook.Parse(payload)
	if unreadable != nil {
		sum := sha256.Sum256(payload)
		event = webhook.Event{ID: "unreadable_" + hex.EncodeToString(sum[:16]), Type: "unreadable"}
	}
	return event, unreadable
}

// awaitOther answers a delivery of an event that is finished, or that another
// handling has in hand.
func (s *Service) awaitOther(ctx context.Context, eventID string) (string, error) {
	for until := time.Now().Add(waitForOther); ; {
		status, err := s.Store.EventStatus(ctx, eventID)
		switch {
		case err != nil:
			return "", err
		case status != store.Received && status != store.Failed:
			return status, nil
		case time.Now().After(until):
			return "", payment.ErrNotYet
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// work handles an event that is in hand and records what became of it.
func (s *Service) work(ctx context.Context, f store.Filed) (string, error) {
	release := s.keepInHand(ctx, f)
	v, err := s.handle(ctx, f)
	release()
	if err == nil {
		s.Log.InfoContext(ctx, "event", "event_id", f.EventID, "status", v.status, "resolution_method", v.method)
		if err = s.finish(ctx, f, v); err == nil {
			s.Metrics.end(f.Type, f.Livemode, v.status, v.method)
			return v.status, nil
		}
	}
	tries := int(f.AttemptCount + f.RetryCount - f.WaitedCount)
	if page := (pageOpen{}); errors.As(err, &page) && page.isWaiting(s.Now()) {
		s.Metrics.end(f.Type, f.Livemode, store.Received, "")
		next := s.Now().Add(due.Backoff(retryFirst, int(f.WaitedCount)+1))
		if waitErr := s.Store.WaitForPage(ctx, f.EventID, page.session.ID, page.Error(), next, s.Now()); waitErr != nil {
			err = errors.Join(err, waitErr)
		}
		return "", payment.ErrNotYet.Because(err)
	}
	status := store.Received
	if tries >= failedAfter {
		status = store.Failed
		summary := fmt.Sprintf("webhook event %s could not be handled in %d tries", f.EventID, tries)
		if caseErr := s.Cases.OpenFailedEvent(ctx, f.EventID, summary); caseErr != nil {
			err = errors.Join(err, caseErr)
		}
	}
	s.Metrics.end(f.Type, f.Livemode, status, "")
	next := s.Now().Add(due.Backoff(retryFirst, tries))
	if errors.Is(err, store.ErrKnownNow) {
		next = s.Now()
	}
	fail := func() error { return s.Store.FailHandling(ctx, f.EventID, status, err.Error(), next) }
	if nobody := (nobodyYet{}); errors.As(err, &nobody) {
		fail = func() error { return s.Store.FailWaiting(ctx, f.EventID, status, err.Error(), next, nobody.names) }
	}
	failErr := fail()
	if errors.Is(failErr, store.ErrKnownNow) {
		failErr = s.Store.FailHandling(ctx, f.EventID, status, err.Error(), s.Now())
	}
	if failErr != nil {
		err = errors.Join(err, failErr) // still in hand: due again when that ends
	}
	return "", payment.ErrNotYet.Because(err)
}

// keepInHand keeps an event to this handling until release.
func (s *Service) keepInHand(ctx context.Context, f store.Filed) (release func()) {
	ctx, stop := context.WithCancel(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		beat := time.NewTicker(keepEvery)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
			}
			until := s.Now().Add(inHandFor).Truncate(time.Microsecond) // as it is stored
			if err := s.Store.KeepInHand(ctx, f, until); err == nil {
				f.InHandUntil = until
			} else if ctx.Err() == nil {
				s.Log.Warn("an event cannot be kept in hand; trying again", "event_id", f.EventID, "error", err)
			}
		}
	})
	return func() {
		stop()
		keeping.Wait() // so that nothing is said after the end
	}
}

func (s *Service) finish(ctx context.Context, f store.Filed, v verdict) error {
	if len(v.waitsFor) == 0 {
		return s.Store.FinishEvent(ctx, f.EventID, v.status, v.method, v.note, s.Now())
	}
	return s.Store.FinishWaiting(ctx, f.EventID, v.status, v.method, v.note, v.waitsFor, v.address, s.Now())
}

// ClaimDueEvents takes unfinished events that are due for our own retry.
func (s *Service) ClaimDueEvents(ctx context.Context, limit int) ([]store.Filed, error) {
	now := s.Now()
	return s.Store.ClaimDueEvents(ctx, now, now.Add(inHandFor), limit)
}

// RetryEvent handles an event again, whether or not Stripe delivers it again.
func (s *Service) RetryEvent(ctx context.Context, f store.Filed) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	s.Metrics.begin(byRetry)
	_, err := s.work(ctx, f)
	return err
}

// ResumeEventsAtStart makes events that were in hand at the last stop due now.
func (s *Service) ResumeEventsAtStart(ctx context.Context) error {
	_, err := s.Store.MakeEventsDue(ctx, s.Now())
	return err
}
