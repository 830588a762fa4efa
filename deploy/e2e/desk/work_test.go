package desk

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

func (o *office) opens(kind pb.Case_Kind, subject, summary string) int64 {
	o.t.Helper()
	c, err := pb.NewReconciliationServiceClient(o.Conn("reconciliation", "orders")).OpenCase(o.t.Context(), &pb.OpenCaseRequest{Kind: kind, Subject: subject, Summary: summary})
	if err != nil {
		o.t.Fatal(err)
	}
	return c.GetId()
}

func TestACaseGoesThroughPeoplesHandsAndEveryHandIsInTheAudit(t *testing.T) {
	t.Parallel()
	o := open(t)
	about := uuid.NewString()
	id := o.opens(pb.Case_STUCK_ORDER, "order/"+about, "five looks")
	events := func() int {
		return one[int](o, "SELECT count(*) FROM reconciliation.case_events WHERE what <> 'opened'")
	}

	r, err := o.desk.ClaimCase(o.as("sam"), &pb.ClaimCaseRequest{CaseId: id, Act: dry("mine")})
	o.wantSteps("a dry claim", r, err, "case claimed WOULD_DO")
	if r.GetCase().GetClaimedBy() != "sam" || events() != 0 {
		t.Errorf("the dry claim shows %v and left %d events", r.GetCase(), events())
	}
	claim := &pb.ClaimCaseRequest{CaseId: id, Act: act("mine")}
	var wg sync.WaitGroup
	for range 4 { // four clicks at once
		wg.Go(func() {
			if r, err := o.desk.ClaimCase(o.as("sam"), claim); err != nil || r.GetCase().GetClaimedBy() != "sam" {
				t.Errorf("%v %v", r, err)
			}
		})
	}
	wg.Wait()
	if events() != 1 {
		t.Errorf("%d events after four clicks", events())
	}
	_, err = o.desk.ClaimCase(o.as("alex"), &pb.ClaimCaseRequest{CaseId: id, Act: act("I am here too")})
	o.wantRefused("a colleague's", err, codes.Aborted, "CASE_CLAIMED")
	r, err = o.desk.AcknowledgeCase(o.as("alex"), &pb.AcknowledgeCaseRequest{CaseId: id, Note: "seen at night"})
	o.wantSteps("seen", r, err, "case acknowledged DONE")
	if c := r.GetCase(); c.GetAcknowledgedBy() != "alex" || c.GetAcknowledgedAt() == nil {
		t.Errorf("seen: %v", c)
	}
	r, err = o.desk.AcknowledgeCase(o.as("sam"), &pb.AcknowledgeCaseRequest{CaseId: id})
	o.wantSteps("seen again", r, err, "case acknowledged NOT_NEEDED")
	until := timestamppb.New(o.Clock.Now().Add(time.Hour))
	for _, a := range []*pb.Act{nil, act("the bank opens then")} {
		r, err = o.desk.SnoozeCase(o.as("sam"), &pb.SnoozeCaseRequest{CaseId: id, Until: until, Reason: "later", Act: a})
		if err != nil || r.GetCase().GetSnoozedUntil() == nil {
			t.Errorf("%v %v", r, err)
		}
	}
	_, err = o.desk.SnoozeCase(o.as("sam"), &pb.SnoozeCaseRequest{CaseId: id, Until: until})
	o.wantRefused("for no reason", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	r, err = o.desk.ResolveCase(o.as("sam"), &pb.ResolveCaseRequest{CaseId: id, Resolution: "they wrote that it works"})
	o.wantSteps("resolved", r, err, "case resolved DONE")
	r, err = o.desk.ResolveCase(o.as("alex"), &pb.ResolveCaseRequest{CaseId: id, Resolution: "me too"})
	o.wantSteps("resolved twice", r, err, "case resolved NOT_NEEDED")
	_, err = o.desk.ClaimCase(o.as("sam"), &pb.ClaimCaseRequest{CaseId: 99, Act: act("which")})
	o.wantRefused("a case that is not", err, codes.NotFound, "CASE_NOT_FOUND")
	o.wantAudit("case/99", "sam ClaimCase FAILED")
	entries := o.wantAudit(about, "alex ResolveCase DONE", "sam ResolveCase DONE", "sam SnoozeCase DONE", "sam SnoozeCase DONE",
		"sam AcknowledgeCase DONE", "alex AcknowledgeCase DONE", "alex ClaimCase FAILED", "sam ClaimCase DONE")
	if e := entries[1]; !strings.Contains(e.GetAfterJson(), "they wrote that it works") || e.GetReason() != "they wrote that it works" || e.GetSubject() != "case/1" {
		t.Errorf("the audit says %v", e)
	}
}

func TestAnEventIsLinkedReplayedAndIgnored(t *testing.T) {
	t.Parallel()
	o := open(t)
	order := o.Buyer("jane").Buys("annual", visa)
	for _, id := range []string{"evt_hers", "evt_nobodys"} {
		if _, err := o.DB.Exec(t.Context(), `INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, customer_id, payload, received_at, processed_at)
			VALUES ($1, 'customer.updated', false, '2023-10-16', 'cus_other', 'ORPHANED', 1, 'cus_other', '{}', now(), now())`, id); err != nil {
			t.Fatal(err)
		}
	}
	status := func(id string) string {
		return one[string](o, "SELECT status FROM payments.webhook_events WHERE stripe_event_id = $1", id)
	}
	link := &pb.LinkEventRequest{StripeEventId: "evt_hers", OrderId: order.ID, Act: dry("she wrote so")}
	r, err := o.desk.LinkEvent(o.as("sam"), link)
	o.wantSteps("a dry link", r, err, "event linked WOULD_DO")
	if r.GetEvent().GetStripeEventId() != "evt_hers" || status("evt_hers") != "ORPHANED" || one[int](o, "SELECT count(*) FROM payments.customer_links") != 0 {
		t.Errorf("the dry link left %v", r.GetEvent())
	}
	link.Act = act("she wrote so")
	for range 2 {
		r, err = o.desk.LinkEvent(o.as("sam"), link)
		o.wantSteps("linked", r, err, "event linked DONE")
	}
	if n := one[int](o, "SELECT count(*) FROM payments.customer_links WHERE actor = 'sam'"); n != 1 {
		t.Errorf("%d links", n)
	}
	_, err = o.desk.LinkEvent(o.as("sam"), &pb.LinkEventRequest{StripeEventId: "evt_hers", OrderId: uuid.NewString(), Act: dry("a slip")})
	o.wantRefused("to nobody, dry", err, codes.NotFound, "PAYMENT_NOT_FOUND")

	r, err = o.desk.IgnoreEvent(o.as("sam"), &pb.IgnoreEventRequest{StripeEventId: "evt_nobodys", Act: dry("a test of theirs")})
	o.wantSteps("a dry ignore", r, err, "event ignored WOULD_DO")
	if r.GetEvent().GetStatus() != paymentsv1.WebhookEvent_IGNORED || status("evt_nobodys") == "IGNORED" {
		t.Errorf("the dry ignore shows %v, and it is %s", r.GetEvent(), status("evt_nobodys"))
	}
	r, err = o.desk.IgnoreEvent(o.as("sam"), &pb.IgnoreEventRequest{StripeEventId: "evt_nobodys", Reason: "a test of theirs"})
	o.wantSteps("ignored", r, err, "event ignored DONE")
	r, err = o.desk.IgnoreEvent(o.as("alex"), &pb.IgnoreEventRequest{StripeEventId: "evt_nobodys", Reason: "me too"})
	o.wantSteps("ignored twice", r, err, "event ignored NOT_NEEDED")
	_, err = o.desk.ReplayEvent(o.as("sam"), &pb.ReplayEventRequest{StripeEventId: "evt_never"})
	o.wantRefused("an event that is not", err, codes.NotFound, "EVENT_NOT_FOUND")
	r, err = o.desk.ReplayEvent(o.as("sam"), &pb.ReplayEventRequest{StripeEventId: "evt_nobodys", Act: dry("once more")})
	o.wantSteps("a dry replay", r, err, "event handled WOULD_DO")
	o.wantAudit("evt_nobodys", "alex IgnoreEvent DONE", "sam IgnoreEvent DONE")
	o.wantAudit(order.ID, "sam LinkEvent DONE")
}

func TestChargesArePausedByAnAdminAlone(t *testing.T) {
	t.Parallel()
	o := open(t)
	_, err := o.desk.SetCharging(o.as("sam"), &pb.SetChargingRequest{Paused: true, Act: act("card testing")})
	o.wantRefused("support", err, codes.PermissionDenied, "PERMISSION_DENIED")
	pause := &pb.SetChargingRequest{Paused: true, Act: dry("card testing")}
	r, err := o.desk.SetCharging(o.as("ada"), pause)
	o.wantSteps("a dry pause", r, err, "charges paused WOULD_DO")
	if status, _, said := o.Buyer("before").Place("annual", map[string]any{"payment_method": visa}); status != 200 {
		t.Errorf("after the dry pause: %d %s", status, said)
	}
	pause.Act = act("card testing")
	for range 2 {
		r, err = o.desk.SetCharging(o.as("ada"), pause)
		o.wantSteps("paused", r, err, "charges paused DONE")
	}
	if c := r.GetCharging(); !c.GetPaused() || c.GetActor() != "ada" {
		t.Errorf("the switch: %v", c)
	}
	if status, _, said := o.Buyer("meanwhile").Place("annual", map[string]any{"payment_method": visa}); status != 503 || !strings.Contains(said, "CHARGES_PAUSED") {
		t.Errorf("while paused: %d %s", status, said)
	}
	r, err = o.desk.SetCharging(o.as("ada"), &pb.SetChargingRequest{Paused: true, Reason: "still"})
	o.wantSteps("paused already", r, err, "charges paused NOT_NEEDED")
	r, err = o.desk.SetCharging(o.as("ada"), &pb.SetChargingRequest{Reason: "it is over"})
	o.wantSteps("resumed", r, err, "charges resumed DONE")
	now, err := ordersv1.NewOrdersAdminServiceClient(o.Conn("orders", "")).GetCharging(o.as("vera"), &ordersv1.GetChargingRequest{})
	if err != nil || now.GetPaused() || now.GetReason() != "it is over" {
		t.Errorf("%v %v", now, err)
	}
	o.wantAudit("charging", "ada SetCharging DONE", "ada SetCharging DONE", "ada SetCharging DONE")
}

func TestTheAuditIsReadByPages(t *testing.T) {
	t.Parallel()
	o := open(t)
	for range 3 {
		id := o.opens(pb.Case_DISCREPANCY, "charge/ch_"+uuid.NewString()[:8], "a sum")
		for _, actor := range []string{"sam", "alex"} {
			if _, err := o.desk.ClaimCase(o.as(actor), &pb.ClaimCaseRequest{CaseId: id, TakeOver: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(r *pb.ListAuditRequest) (ids []int64) {
		t.Helper()
		for {
			page, err := o.desk.ListAudit(o.as("vera"), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.GetEntries() {
				if r.GetActor() != "" && e.GetActor() != r.GetActor() {
					t.Errorf("%v is not %s's", e, r.GetActor())
				}
				ids = append(ids, e.GetId())
			}
			if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
				return ids
			}
		}
	}
	for want, r := range map[int]*pb.ListAuditRequest{6: {PageSize: 4}, 3: {PageSize: 1, Actor: "sam"}, 2: {Subject: "case/2"}, 0: {Subject: "case/7"}} {
		ids := read(r)
		for i := 1; i < len(ids); i++ {
			if ids[i] >= ids[i-1] {
				t.Errorf("not newest first: %v", ids)
			}
		}
		if len(ids) != want {
			t.Errorf("%v: %v", r, ids)
		}
	}
}
