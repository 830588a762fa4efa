package stripesim

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"
)

// Event is Stripe's event: a snapshot of an object as it was after a change.
type Event struct {
	Header
	APIVersion      string       `json:"api_version"`
	Data            eventData    `json:"data"`
	Livemode        bool         `json:"livemode"`
	PendingWebhooks int64        `json:"pending_webhooks"`
	Request         eventRequest `json:"request"`
	Type            string       `json:"type"`
}

type eventData struct {
	Object             json.RawMessage `json:"object"`
	PreviousAttributes map[string]any  `json:"previous_attributes,omitempty"`
}

type eventRequest struct {
	ID             NullString `json:"id"`
	IdempotencyKey NullString `json:"idempotency_key"`
}

// eventRetention is how long Stripe still shows an event.
const eventRetention = 30 * 24 * time.Hour

// emit records what happened to o and schedules its webhooks.
func (t *tx) emit(eventType string, o object, previous map[string]any) {
	snapshot, err := marshal(o)
	if err != nil {
		panic(err) // our own types always render
	}
	ev := &Event{
		Header:     t.header("evt_", "event", 24),
		APIVersion: APIVersion,
		Data:       eventData{Object: snapshot, PreviousAttributes: previous},
		Livemode:   t.w.live,
		Request:    eventRequest{ID: NullString(t.requestID), IdempotencyKey: NullString(t.idempotencyKey)},
		Type:       eventType,
	}
	ev.PendingWebhooks = int64(len(t.s.hooks.Endpoints))
	save(t, t.w.events, ev)
	t.schedule(ev)
}

// changed names the fields that differ, with their former values; inside a hash
// only the keys that differ, and null for one that was not there.
func changed(before, after any) map[string]any {
	a, errA := toTree(before)
	b, errB := toTree(after)
	if errA != nil || errB != nil {
		return nil
	}
	return difference(a.(map[string]any), b.(map[string]any))
}

func difference(old, now map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range old {
		if reflect.DeepEqual(v, now[k]) {
			continue
		}
		inner, wasHash := v.(map[string]any)
		next, isHash := now[k].(map[string]any)
		if wasHash && isHash {
			out[k] = difference(inner, next)
		} else {
			out[k] = v
		}
	}
	for k := range now {
		if _, known := old[k]; !known {
			out[k] = nil
		}
	}
	return out
}

func cloneMetadata(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

func (ev *Event) retained(now time.Time) bool {
	return now.Unix()-ev.Created <= int64(eventRetention/time.Second)
}

func retrieveEvent(c *call) (any, *Error) {
	id := c.r.PathValue("id")
	ev, ok := c.w.events.get(id)
	if !ok || !ev.retained(c.now) {
		return nil, c.missing(http.StatusNotFound, "event", id, "id")
	}
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	return ev, nil
}

func listEvents(c *call) (any, *Error) {
	p := c.params
	types := p.texts("types")
	if p.has("type") {
		if len(types) > 0 {
			p.fail("parameters_exclusive", "type", "You may only provide one of type or types.")
		}
		types = []string{p.text("type")}
	}
	oldest := sort.Search(len(c.w.events.ordered), func(i int) bool { return c.w.events.ordered[i].retained(c.now) })
	return listOf(c, c.w.events, c.w.events.ordered[oldest:], func(ev *Event) bool {
		return len(types) == 0 || slices.ContainsFunc(types, ev.is)
	})
}

// is matches a type as Stripe's filter does: charge.* covers charge.refunded.
func (ev *Event) is(pattern string) bool {
	if family, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(ev.Type, family)
	}
	return ev.Type == pattern
}
