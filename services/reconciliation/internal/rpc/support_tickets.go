package rpc

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/reconciliation/internal/desk"
)

// OpenTicket implements reconciliation.v1.
func (s *SupportServer) OpenTicket(ctx context.Context, r *pb.OpenTicketRequest) (*pb.Ticket, error) {
	a, err := actOf(ctx, &pb.Act{IdempotencyKey: r.GetIdempotencyKey(), Reason: "a customer wrote", DryRun: r.GetDryRun()}, r)
	if err != nil {
		return nil, err
	}
	return answerTicket(s.Service.OpenTicket(ctx, a, desk.Ticket{
		Email: r.GetEmail(), Subject: r.GetSubject(), Description: r.GetDescription(), Category: r.GetCategory().String(),
	}))
}

// changes is the namespace of the keys of changes to tickets.
var changes = uuid.MustParse("3a0d8a52-90a5-5f0e-8f0b-7f9a4c0c2f5d")

// ChangeTicket implements reconciliation.v1.
func (s *SupportServer) ChangeTicket(ctx context.Context, r *pb.ChangeTicketRequest) (*pb.Ticket, error) {
	// A change is named by what it changes of which version, and by whom: the same
	// again is the same.
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil, err
	}
	key := uuid.NewSHA1(changes, append([]byte(access.From(ctx).Actor+"\n"), raw...))
	reason := r.GetReason()
	if reason == "" {
		reason = "the ticket is " + r.GetState().String()
	}
	a, err := actOf(ctx, &pb.Act{IdempotencyKey: key.String(), Reason: reason, DryRun: r.GetDryRun()}, r)
	if err != nil {
		return nil, err
	}
	return answerTicket(s.Service.ChangeTicket(ctx, a, desk.TicketChange{
		TicketID: r.GetTicketId(), Version: r.GetVersion(), State: desk.TicketState(r.GetState().String()), Resolution: r.GetResolution(), AssignedTo: r.GetAssignedTo(),
	}))
}

// ListTickets implements reconciliation.v1.
func (s *SupportServer) ListTickets(ctx context.Context, r *pb.ListTicketsRequest) (*pb.ListTicketsResponse, error) {
	openedAt, id, err := parseTicketsToken(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	state := desk.TicketState("")
	if r.GetState() != pb.Ticket_STATE_UNSPECIFIED {
		state = desk.TicketState(r.GetState().String())
	}
	size := pageSize(r.GetPageSize())
	list, err := s.Service.ListTickets(ctx, state, openedAt, id, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListTicketsResponse{}
	if len(list) > size {
		list = list[:size]
		out.NextPageToken = ticketsToken(list[size-1])
	}
	for _, t := range list {
		out.Tickets = append(out.Tickets, toTicket(t))
	}
	return out, nil
}

func ticketsToken(last desk.Ticket) string {
	return encode("tickets %d %d", last.OpenedAt.UnixMicro(), last.ID)
}

func parseTicketsToken(token string) (openedAt time.Time, id int64, err error) {
	if token == "" {
		return time.Time{}, 0, nil
	}
	var micro int64
	err = decode(token, "tickets %d %d", &micro, &id)
	return time.UnixMicro(micro).UTC(), id, err
}

func answerTicket(t desk.Ticket, err error) (*pb.Ticket, error) {
	if err != nil {
		return nil, err
	}
	return toTicket(t), nil
}

func toTicket(t desk.Ticket) *pb.Ticket {
	return &pb.Ticket{
		Id: t.ID, Email: t.Email, Subject: t.Subject, Description: t.Description,
		Category: pb.Ticket_Category(pb.Ticket_Category_value[t.Category]), State: pb.Ticket_State(pb.Ticket_State_value[string(t.State)]),
		Resolution: t.Resolution, ResolvedBy: t.ResolvedBy, OpenedAt: timestamppb.New(t.OpenedAt), ResolvedAt: toTimestamp(t.ResolvedAt),
		AssignedTo: t.AssignedTo, OrderIds: t.OrderIDs, ChargeIds: t.ChargeIDs, Version: t.Version,
	}
}
