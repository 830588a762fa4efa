package stripesim

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
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

// changed names the fields that differ, with their former values.
func changed(before, after any) map[string]any {
	a, errA := toTree(before)
	b, errB := toTree(after)
	if errA != nil || errB != nil {
		return nil
	}
	old, now := a.(map[string]any), b.(map[string]any)
	maps.DeleteFunc(old, func(k string, v any) bool { return reflect.DeepEqual(v, now[k]) })
	return old
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
	return list(c, c.w.events, func(ev *Event) bool {
		return ev.retained(c.now) && (len(types) == 0 || slices.ContainsFunc(types, ev.is))
	})
}

// is matches a type as Stripe's filter does: charge.* covers charge.refunded.
func (ev *Event) is(pattern string) bool {
	if family, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(ev.Type, family)
	}
	return ev.Type == pattern
}
