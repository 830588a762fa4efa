package console

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
)

// eventLists are the parts of the ledger that people look at.
var eventLists = []struct {
	Value, Text, Means string
	Ask                *paymentsv1.ListWebhookEventsRequest
}{
	{"orphaned", "For nobody", "Nobody was found whom these are for. Each replays by itself when somebody is; link one when you know whose it is.",
		&paymentsv1.ListWebhookEventsRequest{Status: paymentsv1.WebhookEvent_ORPHANED}},
	{"failed", "Failed", "These were tried often without success, most attempts first. The tries go on; replay one when its cause is gone.",
		&paymentsv1.ListWebhookEventsRequest{Status: paymentsv1.WebhookEvent_FAILED, MostAttemptsFirst: true}},
	{"quarantined", "Not trusted", "These cannot be trusted or read, and are kept for a person.",
		&paymentsv1.ListWebhookEventsRequest{Status: paymentsv1.WebhookEvent_QUARANTINED}},
	{"all", "All", "The whole ledger, newest first.", &paymentsv1.ListWebhookEventsRequest{}},
}

// eventsBody is one list of events, and by what events found their people.
type eventsBody struct {
	List    string
	Lists   any
	Means   string
	Events  []*paymentsv1.WebhookEvent
	Next    string
	Trouble *trouble

	Methods        []methodCount
	MethodsTotal   int64
	MethodsTrouble *trouble
}

// methodCount is how often one way of finding the person worked.
type methodCount struct {
	Method string
	Count  int64
	// Share of all, in percent.
	Share int64
}

func (c *console) listEvents(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	chosen := eventLists[0]
	for _, l := range eventLists {
		if l.Value == r.URL.Query().Get("show") {
			chosen = l
		}
	}
	b := eventsBody{List: chosen.Value, Lists: eventLists, Means: chosen.Means}
	var g errgroup.Group
	g.Go(func() error {
		list, err := c.payments.ListWebhookEvents(ctx, &paymentsv1.ListWebhookEventsRequest{
			Status: chosen.Ask.GetStatus(), MostAttemptsFirst: chosen.Ask.GetMostAttemptsFirst(), PageSize: 30, PageToken: r.URL.Query().Get("page"),
		})
		b.Events, b.Next, b.Trouble = list.GetEvents(), list.GetNextPageToken(), troubleOf("Payments", err)
		return nil
	})
	g.Go(func() error {
		methods, err := c.payments.CountResolutionMethods(ctx, &paymentsv1.CountResolutionMethodsRequest{})
		b.Methods, b.MethodsTotal = countMethods(methods.GetMethods())
		b.MethodsTrouble = troubleOf("Payments", err)
		return nil
	})
	_ = g.Wait()
	c.show(w, r, v, "events", page{Title: "Events", Nav: "events", Body: b})
}

// methodNames say how an event found its person.
var methodNames = map[string]string{
	"client_reference_id": "The checkout's own reference", "metadata": "Our metadata at Stripe", "customer_id": "The saved Stripe customer", "email": "The proven address",
	"checkout_session": "The saved Checkout Session", "charge": "The saved charge", "payment_intent": "The saved payment intent", "subscription": "The saved subscription",
}

// countMethods adds up by method; an event that found nobody counts by how it ended.
func countMethods(counts []*paymentsv1.ResolutionMethodCount) (out []methodCount, total int64) {
	at := map[string]int{}
	for _, m := range counts {
		name := methodNames[m.GetResolutionMethod()]
		switch {
		case name != "":
		case m.GetResolutionMethod() != "":
			name = human(m.GetResolutionMethod())
		default:
			name = "No person: " + strings.ToLower(m.GetStatus().String())
		}
		i, known := at[name]
		if !known {
			i = len(out)
			at[name], out = i, append(out, methodCount{Method: name})
		}
		out[i].Count += m.GetEventCount()
		total += m.GetEventCount()
	}
	for i := range out {
		out[i].Share = (out[i].Count*100 + total/2) / total
	}
	return out, total
}

// eventBody is one event and what can be done with it.
type eventBody struct {
	Event *paymentsv1.WebhookEvent
	Do    []doLink
}

// Ended says that there is nothing left to do.
func (b eventBody) Ended() bool {
	return b.Event.GetStatus() == paymentsv1.WebhookEvent_PROCESSED || b.Event.GetStatus() == paymentsv1.WebhookEvent_IGNORED
}

func (c *console) showEvent(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	list, err := c.payments.ListWebhookEvents(ctx, &paymentsv1.ListWebhookEventsRequest{StripeEventIds: []string{r.PathValue("id")}})
	wrong := troubleOf("Payments", err)
	if wrong == nil && len(list.GetEvents()) == 0 {
		wrong = &trouble{Text: "The ledger has no event of this id.", Reason: "EVENT_NOT_FOUND", Status: http.StatusNotFound}
	}
	if wrong != nil {
		c.inTrouble(w, r, v, "events", "Event", wrong)
		return
	}
	b := eventBody{Event: list.GetEvents()[0]}
	names := []string{"replay", "link", "ignore"}
	if b.Event.GetCustomerId() == "" {
		names = []string{"replay", "ignore"} // there is nobody to link
	}
	for _, name := range names {
		b.Do = append(b.Do, doLink{deeds[name].Title, plainOrSealed(v.token, "/do/"+name, url.Values{"event_id": {b.Event.GetStripeEventId()}, "back": {r.URL.RequestURI()}})})
	}
	c.show(w, r, v, "event", page{Title: "Event", Nav: "events", Body: b})
}
