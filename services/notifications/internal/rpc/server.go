// Package rpc turns protobuf into the domain and back, and does nothing else.
package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/service"
	"makegood.example/services/platform/apperr"
)

// Server implements NotificationsService.
type Server struct {
	notificationsv1.UnimplementedNotificationsServiceServer
	Service *service.Service
}

// CheckRecipient says whether mail can be addressed there.
func (s *Server) CheckRecipient(_ context.Context, req *notificationsv1.CheckRecipientRequest) (*notificationsv1.CheckRecipientResponse, error) {
	if _, err := message.ParseAddress(req.GetEmail()); err != nil {
		return nil, err
	}
	return &notificationsv1.CheckRecipientResponse{}, nil
}

// SendMessage accepts a message.
func (s *Server) SendMessage(ctx context.Context, req *notificationsv1.SendMessageRequest) (*notificationsv1.Message, error) {
	kind, letter, orderID := req.GetKind(), req.GetLetter(), uuid.Nil
	isReply := kind == notificationsv1.Message_SUPPORT_REPLY
	if req.GetOrderId() != "" || !isReply {
		var err error
		if orderID, err = uuid.Parse(req.GetOrderId()); err != nil {
			return nil, apperr.Invalid("order_id", "must be a UUID")
		}
	}
	switch {
	case isReply != (letter != nil):
		return nil, apperr.Invalid("letter", "belongs to a SUPPORT_REPLY and to nothing else")
	case isReply:
		return answer(s.Service.SendLetter(ctx, req.GetDedupeKey(), orderID, message.Letter{
			To: letter.GetTo(), Subject: letter.GetSubject(), Text: letter.GetText(), InReplyTo: letter.GetInReplyTo(),
		}))
	}
	if message.Kind(req.GetKind().String()).ToTeam() {
		return nil, apperr.Invalid("kind", "is not about an order: the team is told by ReportIncidents")
	}
	return answer(s.Service.SendMessage(ctx, req.GetDedupeKey(), message.Kind(kind.String()), orderID))
}

func answer(m message.Message, err error) (*notificationsv1.Message, error) {
	if err != nil {
		return nil, err
	}
	return toProto(m), nil
}

// ListMessages lists the messages of one order.
func (s *Server) ListMessages(ctx context.Context, req *notificationsv1.ListMessagesRequest) (*notificationsv1.ListMessagesResponse, error) {
	orderID, err := uuid.Parse(req.GetOrderId())
	if err != nil {
		return nil, apperr.Invalid("order_id", "must be a UUID")
	}
	list, err := s.Service.ListMessages(ctx, orderID)
	if err != nil {
		return nil, err
	}
	out := &notificationsv1.ListMessagesResponse{}
	for _, m := range list {
		out.Messages = append(out.Messages, toProto(m))
	}
	return out, nil
}

// FindMessages answers for a page of keys.
func (s *Server) FindMessages(ctx context.Context, req *notificationsv1.FindMessagesRequest) (*notificationsv1.FindMessagesResponse, error) {
	found, failing, err := s.Service.FindMessages(ctx, req.GetDedupeKeys(), req.GetRepliesTo())
	if err != nil {
		return nil, err
	}
	out := &notificationsv1.FindMessagesResponse{}
	for _, m := range found {
		out.Messages = append(out.Messages, toProto(m))
	}
	if failing != nil {
		out.MailServerFailingSince = timestamppb.New(*failing)
	}
	return out, nil
}

// toProto relies on the domain's names being the contract's.
func toProto(m message.Message) *notificationsv1.Message {
	out := &notificationsv1.Message{
		Id: m.ID.String(), DedupeKey: m.DedupeKey, MessageId: m.MessageID,
		Kind:      notificationsv1.Message_Kind(notificationsv1.Message_Kind_value[string(m.Kind)]),
		State:     notificationsv1.Message_State(notificationsv1.Message_State_value[string(m.State)]),
		CreatedAt: timestamppb.New(m.CreatedAt), AttemptCount: m.AttemptCount, LastError: m.LastError,
	}
	if m.OrderID != uuid.Nil {
		out.OrderId = m.OrderID.String()
	}
	if l := m.Letter; l != nil {
		out.Letter = &notificationsv1.Letter{To: l.To, Subject: l.Subject, Text: l.Text, InReplyTo: l.InReplyTo}
	}
	if m.SentAt != nil {
		out.SentAt = timestamppb.New(*m.SentAt)
	}
	return out
}
