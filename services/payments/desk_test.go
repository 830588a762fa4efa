package payments_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/access"
)

// row writes an event into the ledger as it might have become.
func (s *scene) row(id, status string, attempts int, customer string, receivedAgo time.Duration) {
	s.t.Helper()
	at := s.clock.Now().Add(-receivedAgo)
	unfinished := status == "RECEIVED" || status == "FAILED"
	s.exec(`INSERT INTO payments.webhook_events
			(stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, customer_id, payload, received_at, processed_at, next_look_at)
		VALUES ($1, 'plan.created', false, '2023-10-16', 'plan_1', $2, $3, $4, $5, $6::timestamptz,
			CASE WHEN $7 THEN NULL ELSE $6::timestamptz END, CASE WHEN $7 THEN $6::timestamptz + interval '1 year' END)`,
		id, status, attempts, customer, body(id, "plan.created", false, map[string]any{"id": "plan_1"}), at, unfinished)
}

// list reads all pages of a list.
func (s *scene) list(r *pb.ListWebhookEventsRequest) []string {
	s.t.Helper()
	ids := []string{}
	for {
		page, err := s.desk.ListWebhookEvents(s.as(access.Viewer), r)
		if err != nil {
			s.t.Fatalf("ListWebhookEvents: %v", err)
		}
		if len(page.GetEvents()) > int(r.GetPageSize()) && r.GetPageSize() > 0 {
			s.t.Fatalf("%d on a page of %d", len(page.GetEvents()), r.GetPageSize())
		}
		for _, e := range page.GetEvents() {
			ids = append(ids, e.GetStripeEventId())
		}
		if r.PageToken = page.GetNextPageToken(); r.PageToken == "" {
			return ids
		}
	}
}

func TestTheLedgerIsListed(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for n := range 7 {
		s.row(fmt.Sprintf("evt_orphan_%d", n), "ORPHANED", n, "cus_a", time.Duration(n)*time.Hour)
		s.row(fmt.Sprintf("evt_failed_%d", n), "FAILED", n, "cus_b", time.Duration(n)*time.Hour)
		s.row(fmt.Sprintf("evt_same_%d", n), "PROCESSED", 1, "cus_c", 48*time.Hour) // all at one moment
	}
	ago := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(s.clock.Now().Add(-d)) }
	for name, c := range map[string]struct {
		ask  *pb.ListWebhookEventsRequest
		want []string
	}{
		"orphaned, newest first": {
			&pb.ListWebhookEventsRequest{Status: pb.WebhookEvent_ORPHANED},
			[]string{"evt_orphan_0", "evt_orphan_1", "evt_orphan_2", "evt_orphan_3", "evt_orphan_4", "evt_orphan_5", "evt_orphan_6"},
		},
		"failed after more than three attempts, most first": {
			&pb.ListWebhookEventsRequest{Status: pb.WebhookEvent_FAILED, MinAttempts: 4, MostAttemptsFirst: true},
			[]string{"evt_failed_6", "evt_failed_5", "evt_failed_4"},
		},
		"older than":    {&pb.ListWebhookEventsRequest{Status: pb.WebhookEvent_ORPHANED, ReceivedBefore: ago(4 * time.Hour)}, []string{"evt_orphan_5", "evt_orphan_6"}},
		"of a customer": {&pb.ListWebhookEventsRequest{CustomerId: "cus_b", MinAttempts: 6}, []string{"evt_failed_6"}},
		"of one moment": {
			&pb.ListWebhookEventsRequest{Status: pb.WebhookEvent_PROCESSED},
			[]string{"evt_same_6", "evt_same_5", "evt_same_4", "evt_same_3", "evt_same_2", "evt_same_1", "evt_same_0"},
		},
		"by id": {&pb.ListWebhookEventsRequest{StripeEventIds: []string{"evt_failed_6", "evt_orphan_5", "evt_never"}}, []string{"evt_orphan_5", "evt_failed_6"}},
		"none":  {&pb.ListWebhookEventsRequest{Status: pb.WebhookEvent_QUARANTINED}, []string{}},
	} {
		for _, size := range []int32{0, 1, 2, 7} {
			c.ask.PageSize = size
			if got := s.list(c.ask); !slices.Equal(got, c.want) {
				t.Errorf("%s by %d: %v", name, size, got)
			}
		}
	}
	if n := len(s.list(&pb.ListWebhookEventsRequest{PageSize: 4})); n != 21 {
		t.Errorf("all: %d", n)
	}
	if n := len(s.list(&pb.ListWebhookEventsRequest{PageSize: 4, MostAttemptsFirst: true})); n != 21 {
		t.Errorf("all, by attempts: %d", n)
	}
	if _, err := s.owner.Exec(t.Context(), `UPDATE payments.webhook_events SET resolution_method = 'saved_payment' WHERE customer_id = 'cus_c'`); err != nil {
		t.Fatal(err)
	}
	methods, err := s.desk.CountResolutionMethods(s.as(access.Viewer), &pb.CountResolutionMethodsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int64{}
	for _, m := range methods.GetMethods() {
		counted[m.GetResolutionMethod()+" "+m.GetStatus().String()] = m.GetEventCount()
	}
	if len(counted) != 3 || counted["saved_payment PROCESSED"] != 7 || counted[" ORPHANED"] != 7 || counted[" FAILED"] != 7 {
		t.Errorf("methods: %v", methods)
	}
	newest, err := s.desk.ListWebhookEvents(s.as(access.Viewer), &pb.ListWebhookEventsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"x", "bmV3ZXN0", newest.GetNextPageToken()} {
		_, err := s.desk.ListWebhookEvents(s.as(access.Viewer), &pb.ListWebhookEventsRequest{PageToken: token, MostAttemptsFirst: true})
		wantError(t, "a token of another list", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	}
}

func (s *scene) link(eventID, orderID string) error {
	_, err := s.desk.LinkWebhookEvent(s.as(access.Support), &pb.LinkWebhookEventRequest{StripeEventId: eventID, OrderId: orderID, Reason: "they wrote to us"})
	return err
}

func TestAnEventIsLinked(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	jane, _ := s.buyer("jane@example.com", "")
	joe, joes := s.buyer("joe@example.com", "")
	first := bySubscription("first", false, "cus_new", ours())
	second := bySubscription("second", false, "cus_new", ours())
	theirs := bySubscription("theirs", false, "cus_theirs", nil)
	for payload, want := range map[*[]byte]string{&first: "ORPHANED", &second: "ORPHANED", &theirs: "IGNORED"} {
		s.delivered(*payload, want)
	}
	for name, c := range map[string]struct {
		event, order string
		code         codes.Code
		reason       string
	}{
		"no such event": {"evt_none", jane, codes.NotFound, "EVENT_NOT_FOUND"},
		"no such order": {"first", uuid.NewString(), codes.NotFound, "PAYMENT_NOT_FOUND"},
	} {
		wantError(t, name, s.link(c.event, c.order), c.code, c.reason)
	}
	nobodys := body("evt_nobodys", "plan.created", false, map[string]any{"id": "plan_1"})
	s.delivered(nobodys, "IGNORED")
	wantError(t, "an event that names no customer", s.link("evt_nobodys", jane), codes.Aborted, "INVALID_STATE")
	joesOwn := bySubscription("joes", false, joes, ours())
	s.wantMethod(joesOwn, "customer_id")
	wantError(t, "a customer of somebody else", s.link("joes", jane), codes.Aborted, "ALREADY_LINKED")

	for range 2 {
		if err := s.link("first", jane); err != nil {
			t.Fatal(err)
		}
	}
	for _, payload := range [][]byte{first, second} {
		await(t, "the replay", func() bool { return s.ledger(payload, "resolution_method") == "customer_id" })
	}
	wantError(t, "linked to two people", s.link("first", joe), codes.Aborted, "ALREADY_LINKED")
	s.wantMethod(bySubscription("third", false, "cus_new", ours()), "customer_id") // from now on
	// What was taken for a stranger's is handled again, too.
	if err := s.link("theirs", joe); err != nil {
		t.Fatal(err)
	}
	await(t, "the replay", func() bool { return s.ledger(theirs, "resolution_method") == "customer_id" })
	if got := s.text(`SELECT string_agg(concat_ws(' ', customer_id, order_id, actor, reason), '; ' ORDER BY customer_id) FROM payments.customer_links`); got !=
		"cus_new "+jane+" a support they wrote to us; cus_theirs "+joe+" a support they wrote to us" {
		t.Errorf("the links: %s", got)
	}
	if n := s.text(`SELECT count(*)::text FROM payments.event_actions WHERE action = 'LINKED' AND actor = 'a support'`); n != "3" {
		t.Errorf("%s actions", n)
	}
}

func TestAnEventIsReplayed(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	replay := func(id string) (*pb.WebhookEvent, error) {
		return s.desk.ReplayWebhookEvent(s.as(access.Support), &pb.ReplayWebhookEventRequest{StripeEventId: id})
	}
	_, err := replay("evt_none")
	wantError(t, "no such event", err, codes.NotFound, "EVENT_NOT_FOUND")
	r, success := s.unrecorded()
	id := s.ledgerID(success)
	s.orders.set(func() { s.orders.down = true })
	s.notYet(success)
	_, err = replay(id)
	wantError(t, "the cause is not gone", err, codes.Unavailable, "EVENT_NOT_HANDLED")
	s.orders.set(func() { s.orders.down = false })
	for range 2 {
		e, err := replay(id)
		if err != nil || e.GetStatus() != pb.WebhookEvent_PROCESSED || e.GetAttemptCount() != 1 || e.GetRetryCount() != 2 {
			t.Errorf("replayed: %v, %v", e, err)
		}
	}
	if n := len(s.orders.calls(r.GetPurchase().GetOrderId())); n != 3 { // the last one added nothing
		t.Errorf("Orders was told %d times", n)
	}
	orphan := bySubscription("orphan", false, "cus_new", ours())
	s.delivered(orphan, "ORPHANED")
	if e, err := replay("orphan"); err != nil || e.GetStatus() != pb.WebhookEvent_ORPHANED {
		t.Errorf("an orphan: %v, %v", e, err)
	}
	if n := s.text(`SELECT count(*)::text FROM payments.event_actions WHERE action = 'REPLAYED' AND actor = 'a support'`); n != "3" {
		t.Errorf("%s actions", n)
	}
}

func TestAnEventIsIgnored(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	ignore := func(id string) error {
		_, err := s.desk.IgnoreWebhookEvent(s.as(access.Support), &pb.IgnoreWebhookEventRequest{StripeEventId: id, Reason: "a test of ours"})
		return err
	}
	wantError(t, "no such event", ignore("evt_none"), codes.NotFound, "EVENT_NOT_FOUND")
	p := s.purchase("jane@example.com")
	orphan := bySubscription("orphan", false, "", ours("order_id", p.GetOrderId()))
	s.delivered(orphan, "ORPHANED")
	for _, status := range []string{"FAILED", "QUARANTINED", "PROCESSED", "RECEIVED"} {
		s.row(status, status, 4, "", time.Hour)
	}
	for _, id := range []string{"orphan", "orphan", "FAILED", "QUARANTINED"} {
		if err := ignore(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{"PROCESSED", "RECEIVED"} {
		wantError(t, id, ignore(id), codes.Aborted, "INVALID_STATE")
	}
	s.paid(s.request(p, "pm_card_visa"), pb.Payment_SUCCEEDED) // what it named appears, and it stays ignored
	s.delivered(orphan, "IGNORED")
	if got := s.text(`SELECT string_agg(concat_ws(' ', stripe_event_id, action, actor, reason), '; ' ORDER BY id) FROM payments.event_actions`); got !=
		"orphan IGNORED a support a test of ours; FAILED IGNORED a support a test of ours; QUARANTINED IGNORED a support a test of ours" {
		t.Errorf("the actions: %s", got)
	}
}

// What people did stays written, whatever the service may be made to do.
func TestWhatPeopleDidCannotBeChanged(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	role := s.db.Pool(t, "payments")
	for _, table := range []string{"payments.event_actions", "payments.customer_links"} {
		for _, statement := range []string{"UPDATE %s SET actor = 'x'", "DELETE FROM %s", "TRUNCATE %s"} {
			if _, err := role.Exec(t.Context(), fmt.Sprintf(statement, table)); err == nil {
				t.Errorf(statement+" is possible", table)
			}
		}
	}
}

func TestWhoMayWorkTheLedger(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, err := s.desk.ReplayWebhookEvent(s.as(access.Viewer), &pb.ReplayWebhookEventRequest{StripeEventId: "evt_1"})
	wantError(t, "a viewer", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = s.desk.ListWebhookEvents(s.context(), &pb.ListWebhookEventsRequest{})
	wantError(t, "nobody", err, codes.Unauthenticated, "UNAUTHENTICATED")
}

func TestTheLedgersHealthIsOfTheLastHour(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	admin := s.sweep()
	health := func() *pb.LedgerHealth {
		t.Helper()
		h, err := admin.GetLedgerHealth(t.Context(), &pb.GetLedgerHealthRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := health(); h.GetLastHourEvents() != 0 || h.GetDeliveredAt() != nil || h.GetStrugglingSince() != nil {
		t.Errorf("of an empty ledger: %v", h)
	}
	s.row("evt_old", "ORPHANED", 1, "cus_a", 2*time.Hour)
	s.row("evt_orphan", "ORPHANED", 1, "cus_a", 30*time.Minute)
	s.row("evt_fine", "PROCESSED", 1, "cus_a", 20*time.Minute)
	s.row("evt_caught_up", "PROCESSED", 0, "cus_a", time.Minute) // no delivery of Stripe's
	s.row("evt_strange", "QUARANTINED", 1, "cus_a", 25*time.Minute)
	s.row("evt_three", "RECEIVED", 3, "cus_a", 50*time.Minute)
	s.row("evt_four", "RECEIVED", 4, "cus_a", 40*time.Minute)
	s.row("evt_failed", "FAILED", 12, "cus_a", 45*time.Minute) // of that there is a case
	h, now := health(), s.clock.Now()
	if h.GetLastHourEvents() != 6 || h.GetLastHourOrphaned() != 1 || h.GetStrugglingEvents() != 1 ||
		now.Sub(h.GetDeliveredAt().AsTime()).Round(time.Minute) != 20*time.Minute ||
		now.Sub(h.GetStrugglingSince().AsTime()).Round(time.Minute) != 40*time.Minute {
		t.Errorf("the health is %v", h)
	}
	if _, err := s.desk.GetLedgerHealth(s.as(access.Viewer), &pb.GetLedgerHealthRequest{}); err == nil {
		t.Error("a person may ask")
	}
}
