package desk

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "makegood.example/proto/gen/reconciliation/v1"
)

func wrote(email, subject string) *pb.OpenTicketRequest {
	return &pb.OpenTicketRequest{Email: email, Subject: subject, Description: "I paid and got nothing", Category: pb.Ticket_ACCESS, IdempotencyKey: uuid.NewString()}
}

func TestATicketKnowsWhatItIsAbout(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane := o.Buyer("jane")
	order := jane.Buys("annual", visa)
	charge := one[string](o, "SELECT charge_id FROM payments.payments WHERE order_id = $1", order.ID)
	r := wrote("Jane@Example.com", "where is my access?")

	dry := proto.CloneOf(r)
	dry.DryRun = true
	shown, err := o.desk.OpenTicket(o.as("sam"), dry)
	if err != nil || shown.GetId() != 0 || !slices.Equal(shown.GetOrderIds(), []string{order.ID}) || one[int](o, "SELECT count(*) FROM reconciliation.tickets") != 0 {
		t.Fatalf("the dry run: %v %v", shown, err)
	}
	ticket, err := o.desk.OpenTicket(o.as("sam"), r)
	if err != nil || ticket.GetId() == 0 || ticket.GetState() != pb.Ticket_OPEN || ticket.GetVersion() != 1 ||
		!slices.Equal(ticket.GetOrderIds(), []string{order.ID}) || !slices.Equal(ticket.GetChargeIds(), []string{charge}) {
		t.Fatalf("%v %v", ticket, err)
	}
	if again, err := o.desk.OpenTicket(o.as("sam"), r); err != nil || again.GetId() != ticket.GetId() {
		t.Errorf("the same again: %v %v", again, err)
	}
	other := proto.CloneOf(r)
	other.Subject = "something else"
	_, err = o.desk.OpenTicket(o.as("sam"), other)
	o.wantRefused("the key for another ticket", err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
	_, err = o.desk.OpenTicket(o.as("vera"), wrote("jane@example.com", "x"))
	o.wantRefused("a viewer", err, codes.PermissionDenied, "PERMISSION_DENIED")

	found, err := o.desk.LookupCustomer(o.as("vera"), &pb.LookupCustomerRequest{Query: "jane@example.com"})
	if err != nil || len(found.GetTickets()) != 1 || found.GetTickets()[0].GetId() != ticket.GetId() {
		t.Errorf("the lookup has the tickets %v, %v", found.GetTickets(), err)
	}
	if !slices.ContainsFunc(found.GetTimeline(), func(e *pb.TimelineEntry) bool { return e.GetSource() == "ticket" && e.GetActor() == "sam" }) {
		t.Errorf("the timeline has no ticket: %v", found.GetTimeline())
	}
	if _, err := o.desk.ChangeTicket(o.as("alex"), &pb.ChangeTicketRequest{TicketId: ticket.GetId(), Version: 1, State: pb.Ticket_IN_PROGRESS}); err != nil {
		t.Fatal(err)
	}
	if found, err = o.desk.LookupCustomer(o.as("vera"), &pb.LookupCustomerRequest{Query: "jane@example.com"}); err != nil ||
		!slices.ContainsFunc(found.GetTimeline(), func(e *pb.TimelineEntry) bool { return e.GetSource() == "support" && e.GetActor() == "alex" }) {
		t.Errorf("the timeline does not say who took the ticket: %v %v", found.GetTimeline(), err)
	}
	if text := one[string](o, "SELECT string_agg(audit::text, ' ') FROM reconciliation.audit"); strings.Contains(strings.ToLower(text), "jane") {
		t.Errorf("the audit names the customer: %s", text)
	}
}

// What is bought after somebody wrote links when the ticket is looked at; while nobody
// can be asked, a ticket opens all the same.
func TestATicketLinksWhenItIsLookedAt(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.Stop("orders")
	o.Stop("payments")
	ticket, err := o.desk.OpenTicket(o.as("sam"), wrote("jane@example.com", "before I buy"))
	if err != nil || len(ticket.GetOrderIds()) != 0 {
		t.Fatalf("%v %v", ticket, err)
	}
	o.Start("payments")
	o.Start("orders")
	o.Restart("provisioning")
	order := o.Buyer("jane").Buys("annual", visa)
	list, err := o.desk.ListTickets(o.as("vera"), &pb.ListTicketsRequest{})
	if err != nil || len(list.GetTickets()) != 1 || !slices.Equal(list.GetTickets()[0].GetOrderIds(), []string{order.ID}) || list.GetTickets()[0].GetVersion() != 1 {
		t.Errorf("%v %v", list, err)
	}
}

func TestTwoPeopleChangeATicket(t *testing.T) {
	t.Parallel()
	o := open(t)
	var tickets []*pb.Ticket
	for _, name := range []string{"jane", "joe", "jim"} {
		k, err := o.desk.OpenTicket(o.as("sam"), wrote(name+"@example.com", "help"))
		if err != nil {
			t.Fatal(err)
		}
		tickets = append(tickets, k)
	}
	id := tickets[0].GetId()
	claim := &pb.ChangeTicketRequest{TicketId: id, Version: 1, State: pb.Ticket_IN_PROGRESS}
	k, err := o.desk.ChangeTicket(o.as("sam"), claim)
	if err != nil || k.GetAssignedTo() != "sam" || k.GetVersion() != 2 || k.GetState() != pb.Ticket_IN_PROGRESS {
		t.Fatalf("%v %v", k, err)
	}
	if k, err = o.desk.ChangeTicket(o.as("sam"), claim); err != nil || k.GetVersion() != 2 {
		t.Errorf("the same again: %v %v", k, err)
	}
	_, err = o.desk.ChangeTicket(o.as("alex"), claim)
	o.wantRefused("a colleague who read it before", err, codes.Aborted, "INVALID_STATE")
	_, err = o.desk.ChangeTicket(o.as("alex"), &pb.ChangeTicketRequest{TicketId: id, Version: 2, State: pb.Ticket_RESOLVED})
	o.wantRefused("resolved without a word", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = o.desk.ChangeTicket(o.as("alex"), &pb.ChangeTicketRequest{TicketId: 99, Version: 1, State: pb.Ticket_OPEN})
	o.wantRefused("a ticket that is not", err, codes.NotFound, "TICKET_NOT_FOUND")
	done := &pb.ChangeTicketRequest{TicketId: id, Version: 2, State: pb.Ticket_RESOLVED, Resolution: "it was in the spam folder", DryRun: true}
	if k, err = o.desk.ChangeTicket(o.as("alex"), done); err != nil || k.GetState() != pb.Ticket_RESOLVED || one[string](o, "SELECT state FROM reconciliation.tickets WHERE id = $1", id) != "IN_PROGRESS" {
		t.Errorf("the dry run: %v %v", k, err)
	}
	done.DryRun = false
	if k, err = o.desk.ChangeTicket(o.as("alex"), done); err != nil || k.GetResolvedBy() != "alex" || k.GetResolvedAt() == nil || k.GetVersion() != 3 {
		t.Errorf("%v %v", k, err)
	}
	o.wantAudit("ticket/"+"1", "alex ChangeTicket DONE", "alex ChangeTicket FAILED", "sam ChangeTicket DONE", "sam OpenTicket DONE")

	var ids []int64
	page := &pb.ListTicketsRequest{PageSize: 1}
	for {
		list, err := o.desk.ListTickets(o.as("vera"), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list.GetTickets() {
			ids = append(ids, k.GetId())
		}
		if page.PageToken = list.GetNextPageToken(); page.PageToken == "" {
			break
		}
	}
	if !slices.Equal(ids, []int64{tickets[1].GetId(), tickets[2].GetId()}) {
		t.Errorf("the longest waiting first: %v", ids)
	}
	if list, err := o.desk.ListTickets(o.as("vera"), &pb.ListTicketsRequest{State: pb.Ticket_RESOLVED}); err != nil || len(list.GetTickets()) != 1 {
		t.Errorf("%v %v", list, err)
	}
}
