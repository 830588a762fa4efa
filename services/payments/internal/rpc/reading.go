package rpc

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/service"
	"makegood.example/services/payments/internal/wire"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
)

// ListCharges reads one page of the charges on the account, or some by their ids.
func (r *Admin) ListCharges(ctx context.Context, req *paymentsv1.ListChargesRequest) (*paymentsv1.ListChargesResponse, error) {
	out := &paymentsv1.ListChargesResponse{}
	var page []service.Seen
	var err error
	switch {
	case len(req.GetChargeIds()) > 0 && req.GetPartial():
		page, out.UnreadChargeIds, err = r.Service.SeeMostCharges(ctx, req.GetChargeIds())
	case len(req.GetChargeIds()) > 0:
		page, err = r.Service.SeeCharges(ctx, req.GetChargeIds())
	case req.GetWindow() == nil:
		return nil, apperr.Invalid("window", "is needed where no charge_ids are given")
	default:
		page, out.NextPageToken, err = r.Service.ListCharges(ctx, window(req.GetWindow()), req.GetPageToken())
	}
	if err != nil {
		return nil, err
	}
	for _, c := range page {
		out.Charges = append(out.Charges, seenCharge(c))
	}
	return out, nil
}

func seenCharge(c service.Seen) *paymentsv1.SeenCharge {
	out := &paymentsv1.SeenCharge{
		ChargeId: c.ID, PaymentIntentId: c.IntentID, CustomerId: c.CustomerID, Captured: c.Captured, AmountMinor: c.AmountMinor, Currency: c.Currency,
		RefundedMinor: c.RefundedMinor, Disputed: c.Disputed, CreatedAt: timestamppb.New(c.CreatedAt),
		Owner: paymentsv1.SeenCharge_Owner(paymentsv1.SeenCharge_Owner_value[string(c.Owner)]), OwnerReason: c.Why,
		Recorded: c.Recorded, BalanceTransactionId: c.BalanceTransactionID,
	}
	switch c.Status {
	case payment.ChargeSucceeded:
		out.Status = paymentsv1.SeenCharge_SUCCEEDED
	case payment.ChargePending:
		out.Status = paymentsv1.SeenCharge_PENDING
	case payment.ChargeFailed:
		out.Status = paymentsv1.SeenCharge_FAILED
	}
	if c.OrderID != uuid.Nil {
		out.OrderId = c.OrderID.String()
	}
	return out
}

func window(w *paymentsv1.Window) payment.Window {
	return payment.Window{From: w.GetFrom().AsTime(), Before: w.GetBefore().AsTime()}
}

// MatchPayments answers which charges are recorded as paid.
func (r *Admin) MatchPayments(ctx context.Context, req *paymentsv1.MatchPaymentsRequest) (*paymentsv1.MatchPaymentsResponse, error) {
	ids, err := r.Service.Recorded(ctx, req.GetChargeIds())
	return &paymentsv1.MatchPaymentsResponse{RecordedChargeIds: ids}, err
}

// RestoreCharge writes down what was lost of a charge's payment.
func (r *Admin) RestoreCharge(ctx context.Context, req *paymentsv1.RestoreChargeRequest) (*paymentsv1.RestoreChargeResponse, error) {
	var named *service.Named
	if n := req.GetNamed(); n != nil {
		named = &service.Named{Email: n.GetEmail(), Name: n.GetName(), PlanID: n.GetPlanId(), Actor: access.From(ctx).Actor}
		if named.Actor == "" {
			return nil, apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "only a named person may say whose a charge is")
		}
	}
	restored, err := r.Service.RestoreCharge(ctx, req.GetChargeId(), named)
	if err != nil {
		return nil, err
	}
	p := restored.Known.Payment
	out := &paymentsv1.RestoreChargeResponse{
		PlanId: p.PlanID, Email: restored.Email, Name: restored.Name, AccountId: p.AccountID, Missing: restored.Missing,
	}
	if p.Reference != uuid.Nil {
		out.Reference = p.Reference.String()
	}
	if p.RenewsOrderID != uuid.Nil {
		out.RenewsOrderId = p.RenewsOrderID.String()
	}
	if p.ChargeID != "" {
		out.Payment = wire.Payment(restored.Known)
	}
	return out, nil
}

// CatchUpEvents files events that were never delivered.
func (r *Admin) CatchUpEvents(ctx context.Context, req *paymentsv1.CatchUpEventsRequest) (*paymentsv1.CatchUpEventsResponse, error) {
	page, err := r.Service.CatchUpEvents(ctx, window(req.GetWindow()), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	return &paymentsv1.CatchUpEventsResponse{ReadCount: int32(page.Read), AddedCount: int32(page.Added), NextPageToken: page.Next}, nil
}

// FollowChanges follows refunds or disputes.
func (r *Admin) FollowChanges(ctx context.Context, req *paymentsv1.FollowChangesRequest) (*paymentsv1.FollowChangesResponse, error) {
	follow := r.Service.FollowRefunds
	if req.GetKind() == paymentsv1.FollowChangesRequest_DISPUTES {
		follow = r.Service.FollowDisputes
	}
	page, err := follow(ctx, window(req.GetWindow()), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.FollowChangesResponse{
		ReadCount: int32(page.Read), FollowedChargeIds: page.Told, FailedChargeIds: page.Failed, NextPageToken: page.Next,
	}
	for _, d := range page.Disputes {
		seen := &paymentsv1.SeenDispute{
			StripeDisputeId: d.ID, ChargeId: d.ChargeID, AmountMinor: d.AmountMinor, Currency: d.Currency, Reason: d.Reason,
			Stands:    paymentsv1.Payment_Dispute(paymentsv1.Payment_Dispute_value[string(d.Stands)]),
			CreatedAt: timestamppb.New(d.CreatedAt), AnswerBy: orUnset(d.AnswerBy), LostMinor: d.LostMinor(),
		}
		for _, b := range d.Movements {
			seen.Movements = append(seen.Movements, movement(b))
		}
		out.Disputes = append(out.Disputes, seen)
	}
	return out, nil
}

func movement(b payment.BalanceTransaction) *paymentsv1.BalanceTransaction {
	return &paymentsv1.BalanceTransaction{
		Id: b.ID, Type: b.Type, SourceId: b.SourceID, ChargeId: b.ChargeID, AmountMinor: b.AmountMinor, FeeMinor: b.FeeMinor, NetMinor: b.NetMinor,
		Currency: b.Currency, ExchangeRate: b.ExchangeRate, CreatedAt: timestamppb.New(b.CreatedAt),
	}
}

// ListBalanceTransactions reads one page of the balance's movements.
func (r *Admin) ListBalanceTransactions(ctx context.Context, req *paymentsv1.ListBalanceTransactionsRequest) (*paymentsv1.ListBalanceTransactionsResponse, error) {
	page, next, err := r.Service.ListBalance(ctx, window(req.GetWindow()), req.GetPageToken())
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListBalanceTransactionsResponse{NextPageToken: next}
	for _, b := range page {
		out.Transactions = append(out.Transactions, movement(b))
	}
	return out, nil
}
