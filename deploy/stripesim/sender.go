package stripesim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

func (s *Server) wake() {
	select {
	case s.wakeup <- struct{}{}:
	default:
	}
}

// sendWebhooks starts what is due, oldest first, until the simulator closes.
func (s *Server) sendWebhooks() {
	for {
		timer := time.NewTimer(s.startDue())
		select {
		case <-s.closing:
			timer.Stop()
			return
		case <-s.wakeup:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// startDue starts the attempts that are due and says how long until the next.
func (s *Server) startDue() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := time.Hour
	if s.hooks.Paused {
		return next
	}
	now := time.Now()
	due := slices.SortedFunc(maps.Values(s.pending), func(a, b *pendingDelivery) int {
		if c := a.d.NextAtMS - b.d.NextAtMS; c != 0 {
			return int(c)
		}
		return int(a.d.seq - b.d.seq)
	})
	for _, p := range due {
		wait := time.UnixMilli(p.d.NextAtMS).Sub(now)
		switch {
		case wait > 0:
			return min(next, wait)
		case len(s.sending) >= maxSending:
			return next // the end of an attempt wakes us
		case s.sending[p.d.ID] || p.d.Endpoint >= len(s.hooks.Endpoints):
		default:
			s.sending[p.d.ID] = true
			ev, _ := p.w.events.get(p.d.EventID)
			body, endpoint := webhookBody(ev, p.d.Body), s.hooks.Endpoints[p.d.Endpoint]
			s.workers.Go(func() {
				status, err := s.post(endpoint, body)
				s.finishAttempt(p, status, err)
			})
		}
	}
	return next
}

// webhookBody is the event as it is, or as it was rendered in another version.
func webhookBody(ev *Event, other string) []byte {
	if other != "" {
		return bytes.TrimSpace([]byte(other))
	}
	body, err := indented(ev)
	if err != nil {
		panic(err) // our own types always render
	}
	return bytes.TrimSpace(body)
}

// post sends a signed body and returns the status of the answer.
func (s *Server) post(e Endpoint, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deliveryTimeout)
	defer cancel()
	go func() { // a simulator that closes does not wait for a slow endpoint
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	req.Header.Set("Stripe-Signature", sign(e.Secret, s.cfg.Clock(), body))
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, bodyMax))
	return res.StatusCode, nil
}

// sign is Stripe's scheme: HMAC-SHA256 over the time and the raw body.
func sign(secret string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// finishAttempt records an attempt and plans the next one if it failed.
func (s *Server) finishAttempt(p *pendingDelivery, status int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	delete(s.sending, p.d.ID)
	if s.pending[p.d.ID] != p {
		return // the account was reset meanwhile
	}
	s.record(p, status, err)
	if p.d.State == deliveryPending {
		wait := time.Duration(s.hooks.RetryMS) * time.Millisecond << min(p.d.Attempts-1, 16)
		p.d.NextAtMS = time.Now().Add(min(wait, time.Duration(s.hooks.RetryMaxMS)*time.Millisecond)).UnixMilli()
	} else {
		delete(s.pending, p.d.ID)
	}
	t := s.newTx(p.w)
	save(t, p.w.deliveries, p.d)
	if err := t.commit(); err != nil {
		s.broken = err
		s.log.Error("the journal cannot be written", "error", err)
	}
}

func (s *Server) record(p *pendingDelivery, status int, err error) {
	d := p.d
	d.Attempts++
	d.LastStatus, d.LastError = status, ""
	if err != nil {
		d.LastError = err.Error()
	}
	switch {
	case status >= 200 && status < 300:
		d.State = deliveryDelivered
	case d.Attempts >= deliveryAttemptsMax:
		d.State = deliveryGivenUp
	}
	s.log.Debug("webhook", "event", d.EventID, "type", d.EventType, "attempts", d.Attempts, "status", status)
}

// redeliver sends an event once more, now, whatever the settings say, and
// returns the attempt for each endpoint.
func (s *Server) redeliver(eventID string) ([]Delivery, bool) {
	s.mu.Lock()
	var found *pendingDelivery
	for _, w := range s.worlds {
		if ev, ok := w.events.get(eventID); ok {
			found = &pendingDelivery{w, &Delivery{EventID: ev.ID, EventType: ev.Type}}
		}
	}
	if found == nil {
		s.mu.Unlock()
		return nil, false
	}
	ev, _ := found.w.events.get(eventID)
	body, endpoints := webhookBody(ev, found.w.inVersion(ev, s.hooks.APIVersion)), slices.Clone(s.hooks.Endpoints)
	s.mu.Unlock()

	out := []Delivery{}
	for i, e := range endpoints {
		status, err := s.post(e, body)
		s.mu.Lock()
		t := s.newTx(found.w)
		d := &Delivery{Header: t.header("whd_", "webhook_delivery", 24), EventID: ev.ID, EventType: ev.Type, Endpoint: i, State: deliveryGivenUp}
		s.record(&pendingDelivery{found.w, d}, status, err)
		save(t, found.w.deliveries, d)
		if err := t.commit(); err != nil {
			s.log.Error("the journal cannot be written", "error", err)
		}
		out = append(out, *d)
		s.mu.Unlock()
	}
	return out, true
}
