package rpc

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/service"
)

// LookupCustomer implements reconciliation.v1.
func (s *SupportServer) LookupCustomer(ctx context.Context, r *pb.LookupCustomerRequest) (*pb.LookupCustomerResponse, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	found, err := s.Service.LookUp(ctx, q)
	if err != nil {
		return nil, err
	}
	return s.lookedUp(found), nil
}

func query(r *pb.LookupCustomerRequest) (desk.Query, error) {
	words, card := strings.TrimSpace(r.GetQuery()), r.GetCard()
	switch {
	case words != "" && card != nil:
		return desk.Query{}, apperr.Invalid("card", "look up either words or a card, not both")
	case card != nil:
		day, err := time.Parse(time.DateOnly, card.GetDate())
		if err != nil {
			return desk.Query{}, apperr.Invalid("card.date", "is not a day")
		}
		return desk.Query{Kind: desk.ByCard, Card: desk.CardHint{
			Last4: card.GetLast4(), AmountMinor: card.GetAmountMinor(), Currency: strings.ToUpper(card.GetCurrency()), Day: day,
		}}, nil
	}
	q, ok := desk.ReadQuery(words)
	if !ok {
		return q, apperr.Invalid("query", "can be an email address, a reference (its first eight characters or all of it), an order id, a payment intent (pi_…), a charge (ch_…) or a Stripe customer (cus_…); or leave it empty and give the card's last four digits, the amount and the date")
	}
	return q, nil
}

func (s *SupportServer) lookedUp(l service.Looked) *pb.LookupCustomerResponse {
	out := &pb.LookupCustomerResponse{
		Diagnosis: pb.Diagnosis(pb.Diagnosis_value[string(l.Diagnosis.Kind)]), Explanation: l.Diagnosis.Text,
		Orders: l.Orders, Charges: l.Charges, StripeRead: l.StripeRead, Unread: l.Unread,
	}
	for _, c := range l.Candidates {
		out.Candidates = append(out.Candidates, &pb.Candidate{
			OrderId: c.OrderID, ReferenceShort: c.ReferenceShort, EmailMasked: c.EmailMasked, AmountDisplay: c.AmountDisplay,
			CreatedAt: timestamppb.New(c.CreatedAt), Query: c.Query, Why: c.Why, ChargeId: c.ChargeID,
		})
	}
	if len(l.Candidates) > 0 {
		return out
	}
	rec := l.Recommendation
	out.Recommendation = &pb.Recommendation{
		Text: rec.Text, Rpc: rec.RPC, RequestJson: rec.RequestJSON, Grpcurl: rec.Grpcurl(s.Shell),
		Reply: pb.ReplyRequest_Template(pb.ReplyRequest_Template_value[string(rec.Reply)]),
	}
	for _, e := range l.Timeline {
		out.Timeline = append(out.Timeline, &pb.TimelineEntry{At: timestamppb.New(e.At), Source: e.Source, Text: e.Text, Subject: e.Subject, Actor: e.Actor})
	}
	for _, c := range l.Cases {
		out.Cases = append(out.Cases, toCase(c))
	}
	for _, t := range l.Tickets {
		out.Tickets = append(out.Tickets, toTicket(t))
	}
	return out
}
