package service

import (
	"context"
	"time"

	"github.com/google/uuid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/desk"
)

// lookUpTimeout bounds a lookup: a person waits for it.
const lookUpTimeout = 45 * time.Second

// Looked is what is known of whom a customer's words are about.
type Looked struct {
	// Candidates: it is not certain whom they are about, and nothing else is filled in.
	Candidates     []desk.Candidate
	Diagnosis      desk.Diagnosis
	Recommendation desk.Recommendation
	Timeline       []desk.TimelineEntry
	// Orders and Charges are as Orders and Payments tell them.
	Orders     []*ordersv1.DescribeOrderResponse
	Charges    []*paymentsv1.SeenCharge
	Cases      []cases.Case
	Tickets    []desk.Ticket
	StripeRead bool
	// Unread names what else could not be read, in plain words.
	Unread []string
}

// LookUp finds whom a customer's words are about, what happened, and what to do. It
// changes nothing, and the words are not logged.
func (s *Service) LookUp(ctx context.Context, q desk.Query) (Looked, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	f := s.find(ctx, q)
	if candidates := f.candidates(); len(candidates) > 0 {
		s.Log.InfoContext(ctx, "looked up, and it is not certain who it is", "query_kind", string(q.Kind), "candidates", len(candidates))
		return Looked{Candidates: candidates, StripeRead: !f.stripeUnread, Unread: f.unread}, nil
	}
	p, about, err := f.gather(ctx)
	if err != nil {
		return Looked{}, err
	}
	d := desk.Diagnose(p)
	out := Looked{
		Diagnosis: d, Recommendation: desk.Recommend(d, uuid.NewString()), Timeline: desk.Timeline(p),
		Cases: about, Tickets: p.Tickets, StripeRead: p.StripeRead, Unread: p.Unread,
	}
	for _, o := range f.orders {
		out.Orders = append(out.Orders, o.Described)
	}
	for _, c := range f.charges {
		out.Charges = append(out.Charges, c.Seen)
	}
	s.Log.InfoContext(ctx, "looked up", "query_kind", string(q.Kind), "diagnosis", string(d.Kind), "orders", len(out.Orders), "charges", len(out.Charges), "unread", len(p.Unread))
	return out, nil
}
