package desk

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

func TestWhoLooksAfterAnIncidentIsInTheAudit(t *testing.T) {
	t.Parallel()
	o := open(t)
	now := o.Clock.Now()
	if _, err := notificationsv1.NewNotificationsServiceClient(o.Conn("notifications", "reconciliation")).ReportIncidents(t.Context(), &notificationsv1.ReportIncidentsRequest{
		Source: "a-test", AsOf: timestamppb.New(now), Incidents: []*notificationsv1.IncidentReport{{
			Key: "late-word", Tier: notificationsv1.Incident_SAME_DAY, Title: "Something is late", Count: 1, Since: timestamppb.New(now),
		}},
	}); err != nil {
		t.Fatal(err)
	}
	events := func() int {
		return one[int](o, "SELECT count(*) FROM notifications.incident_events WHERE what IN ('acknowledged', 'snoozed')")
	}

	ack := &pb.AcknowledgeIncidentRequest{Key: "late-word", Act: dry("mine")}
	r, err := o.desk.AcknowledgeIncident(o.as("sam"), ack)
	o.wantSteps("a dry look after", r, err, "incident acknowledged WOULD_DO")
	if r.GetIncident().GetAcknowledgedBy() != "sam" || events() != 0 {
		t.Errorf("the dry run shows %v and left %d events", r.GetIncident(), events())
	}
	ack.Act = act("mine")
	for range 2 {
		r, err = o.desk.AcknowledgeIncident(o.as("sam"), ack)
		o.wantSteps("looked after", r, err, "incident acknowledged DONE")
		if r.GetIncident().GetAcknowledgedBy() != "sam" {
			t.Errorf("looked after: %v", r.GetIncident())
		}
	}
	_, err = o.desk.AcknowledgeIncident(o.as("alex"), ack)
	o.wantRefused("a key of somebody else's", err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
	r, err = o.desk.AcknowledgeIncident(o.as("sam"), &pb.AcknowledgeIncidentRequest{Key: "late-word"})
	o.wantSteps("once more", r, err, "incident acknowledged NOT_NEEDED")

	until := timestamppb.New(now.Add(time.Hour))
	r, err = o.desk.SnoozeIncident(o.as("alex"), &pb.SnoozeIncidentRequest{Key: "late-word", Until: until, Reason: "the bank opens then"})
	o.wantSteps("quiet", r, err, "incident snoozed DONE")
	if !r.GetIncident().GetSnoozedUntil().AsTime().Equal(until.AsTime().Truncate(time.Microsecond)) || events() != 2 {
		t.Errorf("quiet: %v, %d events", r.GetIncident(), events())
	}
	for _, a := range []*pb.Act{dry("so"), act("so")} {
		_, err = o.desk.SnoozeIncident(o.as("sam"), &pb.SnoozeIncidentRequest{Key: "late-word", Until: timestamppb.New(now.Add(30 * 24 * time.Hour)), Act: a})
		o.wantRefused("quiet for a month", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	}
	_, err = o.desk.SnoozeIncident(o.as("sam"), &pb.SnoozeIncidentRequest{Key: "late-word", Until: until})
	o.wantRefused("for no reason", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = o.desk.AcknowledgeIncident(o.as("vera"), &pb.AcknowledgeIncidentRequest{Key: "late-word", Act: act("me too")})
	o.wantRefused("a viewer", err, codes.PermissionDenied, "PERMISSION_DENIED")
	_, err = o.desk.AcknowledgeIncident(o.as("sam"), &pb.AcknowledgeIncidentRequest{Key: "never", Act: act("which")})
	o.wantRefused("one that is not", err, codes.NotFound, "INCIDENT_NOT_FOUND")
	entries := o.wantAudit("incident/late-word", "sam SnoozeIncident FAILED", "alex SnoozeIncident DONE", "sam AcknowledgeIncident DONE", "sam AcknowledgeIncident DONE")
	if e := entries[len(entries)-1]; e.GetReason() != "mine" || e.GetAfterJson() == e.GetBeforeJson() {
		t.Errorf("the first entry: %v", e)
	}
}
