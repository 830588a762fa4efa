package rpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/reconciliation/internal/disposition"
)

// ExplainCharge implements reconciliation.v1.
func (s *Server) ExplainCharge(ctx context.Context, r *pb.ExplainChargeRequest) (*pb.ExplainChargeResponse, error) {
	e, err := s.Service.ExplainCharge(ctx, r.GetChargeId())
	if err != nil {
		return nil, err
	}
	out := &pb.ExplainChargeResponse{Now: toDisposition(e.Now.Kind, e.Now.OrderID, e.Now.Reason), Evidence: e.Now.Evidence}
	if e.Recorded != nil {
		out.Recorded = toDisposition(e.Recorded.Kind, e.Recorded.OrderID, e.Recorded.Reason)
		out.RecordedAt = timestamppb.New(e.Recorded.SeenAt)
	}
	return out, nil
}

// GetIntegrityReport implements reconciliation.v1.
func (s *Server) GetIntegrityReport(ctx context.Context, r *pb.GetIntegrityReportRequest) (*pb.IntegrityReport, error) {
	report, err := s.Service.IntegrityReport(ctx, fromTimestamp(r.GetFrom()), fromTimestamp(r.GetBefore()))
	if err != nil {
		return nil, err
	}
	out := &pb.IntegrityReport{
		From: r.GetFrom(), Before: r.GetBefore(), MadeAt: timestamppb.New(report.MadeAt),
		DifferenceCount: report.DifferenceCount, Complete: report.Incomplete == "", IncompleteReason: report.Incomplete,
		ChargeToAccess: &pb.ServiceTime{
			OrderCount: report.ServiceTime.Orders, MeanMs: report.ServiceTime.MeanMS, P95Ms: report.ServiceTime.P95MS, P99Ms: report.ServiceTime.P99MS,
		},
	}
	for _, c := range report.Charges {
		out.Charges = append(out.Charges, &pb.DispositionSum{
			Disposition: toKind(disposition.Kind(c.Disposition)), Currency: c.Currency, ChargeCount: c.Count,
			AmountMinor: c.AmountMinor, RefundedMinor: c.RefundedMinor, DisputedMinor: c.DisputedMinor,
		})
	}
	for _, b := range report.Balance {
		out.Balance = append(out.Balance, &pb.BalanceSum{
			Category: b.Category, Type: b.Type, Currency: b.Currency, TransactionCount: b.Count,
			AmountMinor: b.AmountMinor, FeeMinor: b.FeeMinor, NetMinor: b.NetMinor,
		})
	}
	for _, d := range report.Differences {
		out.Differences = append(out.Differences, &pb.Difference{
			Subject: d.Subject, What: d.What, Currency: d.Currency, ExpectedMinor: d.ExpectedMinor, FoundMinor: d.FoundMinor,
		})
	}
	if o := report.OldestUnserved; o != nil {
		out.OldestUnserved = &pb.OldestUnserved{OrderId: o.OrderID, ChargeId: o.ChargeID, ChargedAt: timestamppb.New(o.ChargedAt)}
	}
	out.DecidedCount = report.DecidedCount
	for _, d := range report.Decided {
		out.Decided = append(out.Decided, &pb.DecidedCharge{
			ChargeId: d.ChargeID, OrderId: d.OrderID, KeptMinor: d.KeptMinor, Currency: d.Currency, ChargedAt: timestamppb.New(d.ChargedAt),
			CaseId: d.CaseID, DecidedBy: d.By, Decision: d.Reason, DecidedAt: timestamppb.New(d.At),
		})
	}
	for _, c := range report.CompletedBy {
		out.CompletedBy = append(out.CompletedBy, &pb.CompletedBy{RecoveredBy: c.RecoveredBy, OrderCount: c.Orders, SlowestMs: c.SlowestMS})
	}
	return out, nil
}

func toDisposition(kind disposition.Kind, orderID, reason string) *pb.Disposition {
	return &pb.Disposition{Kind: toKind(kind), OrderId: orderID, Reason: reason}
}

func toKind(kind disposition.Kind) pb.Disposition_Kind {
	return pb.Disposition_Kind(pb.Disposition_Kind_value[string(kind)])
}

func fromTimestamp(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// daysShown is how many days are counted when none are named.
const daysShown = 30

// CountChargesByDay implements reconciliation.v1.
func (s *Server) CountChargesByDay(ctx context.Context, r *pb.CountChargesByDayRequest) (*pb.CountChargesByDayResponse, error) {
	days := int(r.GetDays())
	if days == 0 {
		days = daysShown
	}
	counts, err := s.Service.ChargesByDay(ctx, days)
	if err != nil {
		return nil, err
	}
	out := &pb.CountChargesByDayResponse{}
	for _, c := range counts {
		if n := len(out.Days); n == 0 || out.Days[n-1].Date != c.Date {
			out.Days = append(out.Days, &pb.ChargeDay{Date: c.Date})
		}
		day := out.Days[len(out.Days)-1]
		day.Counts = append(day.Counts, &pb.ChargeDayCount{Disposition: toKind(disposition.Kind(c.Disposition)), ChargeCount: c.Charges})
	}
	return out, nil
}
