package oneprocess

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Event is one event of Stripe's, with the bytes that are delivered.
type Event struct {
	ID      string
	Type    string
	Created int64
	body    json.RawMessage
}

// UnmarshalJSON keeps the bytes.
func (e *Event) UnmarshalJSON(raw []byte) error {
	head := struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Created int64  `json:"created"`
	}{}
	if err := json.Unmarshal(raw, &head); err != nil {
		return err
	}
	*e = Event{head.ID, head.Type, head.Created, bytes.Clone(raw)}
	return nil
}

// Post says after what times an event is delivered: none is lost, two is
// repeated.
type Post func(Event) []time.Duration

// Prompt delivers every event once, at once and in order.
func Prompt(Event) []time.Duration { return []time.Duration{0} }

// Silent loses every event.
func Silent(Event) []time.Duration { return nil }

// Rough loses, repeats and delays events by chance; what is delayed is overtaken.
func Rough(random *rand.Rand) Post {
	later := func() time.Duration {
		within := []time.Duration{time.Minute, time.Hour, 72 * time.Hour}[random.IntN(3)]
		return time.Duration(random.Int64N(int64(within)))
	}
	return func(Event) []time.Duration {
		switch n := random.IntN(10); {
		case n < 3:
			return nil
		case n < 6:
			return []time.Duration{0}
		case n < 7:
			return []time.Duration{0, 0, later()}
		default:
			return []time.Duration{later()}
		}
	}
}

// mailbag is what Stripe has not delivered yet.
type mailbag struct {
	last    string // the newest event that was seen
	letters []letter
	count   int
	seen    int
	seenAt  time.Time
	mu      sync.Mutex // guards heard
	heard   []heard
}

// heard is an event that the product acknowledged.
type heard struct {
	Event
	at time.Time
}

type letter struct {
	Event
	at    time.Time
	seq   int
	tries int
}

// collect takes the events that are new at Stripe, and has Stripe do what is due.
func (w *World) collect() (found []Event) {
	w.t.Helper()
	for {
		query := url.Values{"limit": {"100"}}
		if w.mail.last != "" {
			query.Set("ending_before", w.mail.last)
		}
		var page struct {
			Data    []*Event `json:"data"`
			HasMore bool     `json:"has_more"`
		}
		w.Stripe.Get("/v1/events", query, &page)
		now := w.Clock.Now()
		for i := len(page.Data) - 1; i >= 0; i-- {
			e := *page.Data[i]
			for _, after := range w.post(e) {
				w.mail.count++
				w.mail.letters = append(w.mail.letters, letter{Event: e, at: now.Add(after), seq: w.mail.count})
			}
			w.mail.last = e.ID
			w.mail.seen++
			w.mail.seenAt = now
			found = append(found, e)
		}
		if len(page.Data) == 0 || !page.HasMore || query.Get("ending_before") == "" {
			return found
		}
	}
}

// Events is how many Stripe has made so far.
func (w *World) Events() int { return w.mail.seen }

// EventsAt is when Stripe made the newest of them, or a moment later.
func (w *World) EventsAt() time.Time { return w.mail.seenAt }

// OnTheirWay is when the last of the events arrives that were not lost and have
// not arrived yet; zero when there are none.
func (w *World) OnTheirWay() (last time.Time) {
	for _, l := range w.mail.letters {
		if l.at.After(last) {
			last = l.at
		}
	}
	return last
}

// deliver delivers what is due, in the order of its time; the same event several
// times at once. What the product does not acknowledge comes again, as Stripe does
// it: later and later.
func (w *World) deliver() (delivered int) {
	w.t.Helper()
	for {
		next := -1
		for i, l := range w.mail.letters {
			if n := w.mail.letters; l.at.After(w.Clock.Now()) {
				continue
			} else if next < 0 || l.at.Before(n[next].at) || l.at.Equal(n[next].at) && l.seq < n[next].seq {
				next = i
			}
		}
		if next < 0 {
			return delivered
		}
		first := w.mail.letters[next]
		var copies, others []letter
		for _, l := range w.mail.letters {
			if l.ID == first.ID && l.at.Equal(first.at) {
				copies = append(copies, l)
			} else {
				others = append(others, l)
			}
		}
		w.mail.letters = others
		delivered += len(copies)
		statuses := make([]int, len(copies))
		var all sync.WaitGroup
		for i, l := range copies {
			all.Go(func() { statuses[i] = w.Deliver(l.Event) })
		}
		all.Wait()
		for i, l := range copies {
			if l.tries++; statuses[i] != http.StatusOK && l.tries < stripeTries {
				l.at = w.Clock.Now().Add(time.Minute << (2 * l.tries))
				w.mail.letters = append(w.mail.letters, l)
			}
		}
	}
}

// stripeTries is how often Stripe delivers an event that is not acknowledged.
const stripeTries = 5

// Deliver sends an event to the product's entrance now, signed, and answers with
// the status.
func (w *World) Deliver(e Event) int {
	w.t.Helper()
	at := w.Clock.Now()
	status, _ := w.DeliverBytes(e.body)
	if status == http.StatusOK {
		w.mail.mu.Lock()
		defer w.mail.mu.Unlock()
		w.mail.heard = append(w.mail.heard, heard{e, at})
	}
	return status
}

// DeliverBytes sends any bytes to the product's entrance now, signed.
func (w *World) DeliverBytes(body []byte) (status int, said []byte) {
	w.t.Helper()
	at := w.Clock.Now()
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	status, said, err := w.do(http.MethodPost, w.url+"/webhooks/stripe", body, map[string]string{
		"Stripe-Signature": fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil))),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return status, said
}

// Heard is when the product last acknowledged an event of one of these types that
// names an object; zero when it never did.
func (w *World) Heard(object string, types ...string) time.Time {
	w.mail.mu.Lock()
	defer w.mail.mu.Unlock()
	for _, h := range slices.Backward(w.mail.heard) {
		if slices.Contains(types, h.Type) && bytes.Contains(h.body, []byte(object)) {
			return h.at
		}
	}
	return time.Time{}
}

// Acknowledged are the ids of the events that the product took with 2xx.
func (w *World) Acknowledged() (ids []string) {
	w.mail.mu.Lock()
	defer w.mail.mu.Unlock()
	for _, h := range w.mail.heard {
		ids = append(ids, h.ID)
	}
	return ids
}

// DeliverAllAtOnce sends events in parallel.
func (w *World) DeliverAllAtOnce(events []Event) {
	w.t.Helper()
	var all sync.WaitGroup
	for _, e := range events {
		all.Go(func() { w.Deliver(e) })
	}
	all.Wait()
}
