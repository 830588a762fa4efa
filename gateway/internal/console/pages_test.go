package console_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"makegood.example/gateway/internal/peertest"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
)

func TestTheQueueSaysWhoWaits(t *testing.T) {
	d := start(t)
	d.badNight()
	a := d.as(t, "viewer").get(t, "/")
	a.says(t, "Stuck order", "A customer waits, 54 min", "nobody has it", "alex has it", "snoozed,", "Nobody waits", "New charges are paused", "/?show=&amp;page=more", "checked 214 charges")
	d.quiet()
	p := d.as(t, "viewer")
	p.get(t, "/").says(t, "No case waits for you", "an empty queue proves nothing")
	p.get(t, "/?show=resolved").says(t, "No case was ever closed")
	if ask := d.peers.Script.Asked("ListCases"); ask[len(ask)-1].Request.(*reconciliationv1.ListCasesRequest).GetState() != reconciliationv1.Case_RESOLVED {
		t.Errorf("asked %v", ask)
	}
}

func TestWhatIsDownIsSaidAndTheRestIsThere(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "support")
	d.net.Stop(peertest.Payments)
	a := p.get(t, "/events")
	a.says(t, "Payments gives no answer right now", "<strong>sam</strong>")
	d.net.Stop(peertest.Orders)
	p.get(t, "/").says(t, "Stuck order", "Whether new charges are paused cannot be read")
	p.get(t, "/integrity").says(t, "A donation, she says", "What a person decided", "1 charge is not at rest", `<a href="/cases/12">case 12</a>`)
	d.peers.Script.Say("GetIntegrityReport", nil, apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "Stripe cannot be read right now"))
	p.get(t, "/integrity").says(t, "Stripe cannot be read right now.", "STRIPE_UNREACHABLE", "The last 30 days", "<svg class=\"chart\"")
	d.net.Stop(peertest.Reconciliation)
	a = p.get(t, "/")
	a.says(t, "Nobody can say who you are right now", "Reconciliation gives no answer right now")
	a.hides(t, "No case waits for you")
	if a := p.get(t, "/cases/41"); a.status != 503 {
		t.Errorf("a case: %d", a.status)
	}
}

func TestACaseIsWorkedOn(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	s.Say("ClaimCase", &reconciliationv1.ActionResponse{Case: stranded()}, nil)
	s.Say("SnoozeCase", &reconciliationv1.ActionResponse{Case: stranded()}, nil)
	s.Say("ResolveCase", &reconciliationv1.ActionResponse{Case: stranded()}, nil)
	p.get(t, "/cases/41").says(t, "has no access", "What to do first", "/lookup?q="+orderID, "the third look failed too", "54 min", `name="version" value="3"`)
	if a := p.post(t, "/cases/41/claim", url.Values{"key": {aKey}}); a.path != "/cases/41?did=claim" {
		t.Errorf("claimed: %s", a.path)
	} else {
		a.says(t, "The case is yours")
	}
	if r := last(t, s, "ClaimCase").(*reconciliationv1.ClaimCaseRequest); r.GetCaseId() != 41 || r.GetActor() != "" || r.GetTakeOver() {
		t.Errorf("%v", r)
	}
	p.post(t, "/cases/41/hand-over", url.Values{"to": {"alex"}, "reason": {"my night is over"}, "key": {aKey}}).says(t, "handed over")
	if r := last(t, s, "ClaimCase").(*reconciliationv1.ClaimCaseRequest); r.GetActor() != "alex" || r.GetNote() != "my night is over" {
		t.Errorf("%v", r)
	}
	p.post(t, "/cases/41/snooze", url.Values{"until": {"2026-11-21T06:14:00Z"}, "reason": {"they sleep"}, "key": {aKey}}).says(t, "out of the queue")
	if r := last(t, s, "SnoozeCase").(*reconciliationv1.SnoozeCaseRequest); !r.GetUntil().AsTime().Equal(night.Add(4*time.Hour)) || r.GetReason() != "they sleep" || r.GetAct().GetIdempotencyKey() != aKey || r.GetAct().GetReason() != "they sleep" {
		t.Errorf("%v", r)
	}
	p.post(t, "/cases/41/resolve", url.Values{"reason": {"they wrote that it works"}, "key": {aKey}, "version": {"3"}}).says(t, "The case is closed")
	if r := last(t, s, "ResolveCase").(*reconciliationv1.ResolveCaseRequest); r.GetResolution() != "they wrote that it works" || r.GetVersion() != 3 {
		t.Errorf("%v", r)
	}
	s.Say("ClaimCase", nil, apperr.New(codes.Aborted, "CASE_CLAIMED", "somebody else has this case"))
	a := p.post(t, "/cases/41/claim", url.Values{"key": {aKey}})
	if a.status != 409 {
		t.Errorf("refused: %d", a.status)
	}
	a.says(t, "Somebody else has this case.", "CASE_CLAIMED", "Stuck order")
	if strings.Contains(a.body, aKey) {
		t.Error("what was refused is wished again")
	}
	// Whether it was done is not known: sent again it is the same wish.
	s.Say("ClaimCase", nil, apperr.New(codes.Internal, "INTERNAL", "x"))
	p.post(t, "/cases/41/claim", url.Values{"key": {aKey}}).says(t, `value="`+aKey+`"`)
}

func TestAnEventIsWorkedOn(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	p.get(t, "/events").says(t, "cus_Stranger is unknown here", "2 deliveries", "Our metadata at Stripe", "No person: orphaned")
	p.get(t, "/events/evt_1ForNobody").says(t, "jane@example.com", "Handle an event again", "/do/link?", "/do/ignore?")
	s.Say("LinkEvent", nil, apperr.New(codes.NotFound, "PAYMENT_NOT_FOUND", "no payment of that order is known"))
	a := p.post(t, "/do/link", url.Values{"event_id": {"evt_1ForNobody"}, "order_id": {orderID}})
	if a.status != 404 {
		t.Errorf("refused: %d", a.status)
	}
	a.says(t, "No payment of that order is known.", `value="`+orderID+`"`)
	s.Say("ReplayEvent", &reconciliationv1.ActionResponse{Event: &paymentsv1.WebhookEvent{Status: paymentsv1.WebhookEvent_ORPHANED}, Steps: []*reconciliationv1.Step{{What: "event handled", Outcome: reconciliationv1.Step_FAILED, Note: "it is ORPHANED: nobody was found"}}}, nil)
	a = p.post(t, "/do/replay", url.Values{"event_id": {"evt_1ForNobody"}, "confirm": {"yes"}, "key": {aKey}, "reason": {"the order is there now"}})
	a.says(t, "Not done", "nobody was found", "The event is <strong>ORPHANED")
	if r := last(t, s, "ReplayEvent").(*reconciliationv1.ReplayEventRequest); r.GetStripeEventId() != "evt_1ForNobody" || r.GetAct().GetIdempotencyKey() != aKey || r.GetAct().GetReason() != "the order is there now" {
		t.Errorf("%v", r)
	}
	s.Say("IgnoreEvent", &reconciliationv1.ActionResponse{Done: true}, nil)
	p.post(t, "/do/ignore", url.Values{"event_id": {"evt_1ForNobody"}, "confirm": {"yes"}, "key": {aKey}, "reason": {"a test of theirs"}}).says(t, "The event is ignored")
	s.Say("ListWebhookEvents", &paymentsv1.ListWebhookEventsResponse{}, nil)
	if a := p.get(t, "/events/evt_gone"); a.status != 404 {
		t.Errorf("no such event: %d", a.status)
	}
}

func TestChargingIsPaused(t *testing.T) {
	d := start(t)
	d.quiet()
	p := d.as(t, "admin")
	p.get(t, "/charging").says(t, "New charges are taken", "Nobody has ever turned the switch", "Pause new charges")
	s := &d.peers.Script
	s.Say("SetCharging", &reconciliationv1.ActionResponse{Done: true, Steps: []*reconciliationv1.Step{{What: "charges paused", Outcome: reconciliationv1.Step_WOULD_DO}}}, nil)
	preview := p.get(t, "/do/pause")
	preview.says(t, "nobody can buy", "would be done")
	p.post(t, "/do/pause", url.Values{"confirm": {"yes"}, "key": {field(t, preview, "key")}, "reason": {"card testing"}}).says(t, "New charges are paused")
	if r := last(t, s, "SetCharging").(*reconciliationv1.SetChargingRequest); !r.GetPaused() || r.GetAct().GetReason() != "card testing" || r.GetAct().GetDryRun() || r.GetAct().GetIdempotencyKey() != field(t, preview, "key") {
		t.Errorf("%v", r)
	}
	p.get(t, "/do/resume")
	if r := last(t, s, "SetCharging").(*reconciliationv1.SetChargingRequest); r.GetPaused() || !r.GetAct().GetDryRun() {
		t.Errorf("%v", r)
	}
	d.as(t, "support").get(t, "/do/pause").hides(t, "name=\"confirm\"")
}

func TestARunIsWatchedWithoutScripts(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "support")
	a := p.post(t, "/runs", url.Values{"dry_run": {"yes"}})
	a.says(t, "Dry run", "Nothing is changed", "running", "succeeded", "advanced, COMPLETE", `id="ended"`)
	d.peers.Reconciliation.Watch = func(*reconciliationv1.WatchRunRequest, func(*reconciliationv1.Run) error) error {
		return apperr.New(codes.Aborted, "RUN_IN_PROGRESS", "a run is in progress")
	}
	if a := p.post(t, "/runs", nil); a.status != 409 {
		t.Errorf("two at once: %d", a.status)
	} else {
		a.says(t, "A run is in progress.")
	}
	d.peers.Reconciliation.Watch = func(_ *reconciliationv1.WatchRunRequest, send func(*reconciliationv1.Run) error) error {
		if err := send(&reconciliationv1.Run{Id: 9, Status: reconciliationv1.Run_RUNNING}); err != nil {
			return err
		}
		return apperr.New(codes.Unavailable, "", "")
	}
	p.post(t, "/runs", nil).says(t, "the last that was heard")
}

// While a page is drawn, each of its parts is asked for at the same time, and none
// longer than it may take.
func TestASlowServiceIsNotWaitedForForEver(t *testing.T) {
	d := start(t)
	d.quiet()
	d.peers.Script.On("GetCharging", func(ctx context.Context, _ proto.Message) (proto.Message, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	d.as(t, "viewer").get(t, "/").says(t, "No case waits for you", "Whether new charges are paused cannot be read")
}

func TestALookupMayTakeLongerThanARequestToArrive(t *testing.T) {
	d := start(t)
	d.badNight()
	d.peers.Script.On("LookupCustomer", func(ctx context.Context, _ proto.Message) (proto.Message, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(readTimeout + time.Second):
			return aPerson(), nil
		}
	})
	d.as(t, "support").get(t, "/lookup?q="+orderID).says(t, "Stuck order")
}

const aKey = "0d9a4c7e-7d8e-4c7b-9d7e-0d8a5a6f3333"

// last is the last call of a method.
func last(t *testing.T, s *peertest.Script, method string) proto.Message {
	t.Helper()
	asked := s.Asked(method)
	if len(asked) == 0 {
		t.Fatalf("%s was not called", method)
	}
	return asked[len(asked)-1].Request
}
