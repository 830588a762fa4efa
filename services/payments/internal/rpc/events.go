package rpc

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments/internal/store"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
)

const pageSizeDefault = 50

// ListWebhookEvents lists the ledger.
func (r *Admin) ListWebhookEvents(ctx context.Context, req *paymentsv1.ListWebhookEventsRequest) (*paymentsv1.ListWebhookEventsResponse, error) {
	f := store.Filter{
		MinAttempts: req.GetMinAttempts(), CustomerID: req.GetCustomerId(), EventIDs: req.GetStripeEventIds(),
		MostAttempts: req.GetMostAttemptsFirst(), Limit: int(req.GetPageSize()),
	}
	if f.Limit == 0 {
		f.Limit = pageSizeDefault
	}
	if req.GetStatus() != paymentsv1.WebhookEvent_STATUS_UNSPECIFIED {
		f.Status = req.GetStatus().String()
	}
	if req.GetReceivedBefore() != nil {
		f.ReceivedBefore = req.GetReceivedBefore().AsTime()
	}
	var err error
	if f.After, err = parseEventsToken(req.GetPageToken(), f.MostAttempts); err != nil {
		return nil, err
	}
	entries, err := r.Service.ListEvents(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.ListWebhookEventsResponse{}
	for _, e := range entries {
		out.Events = append(out.Events, webhookEvent(e))
	}
	if n := len(entries); n == f.Limit {
		out.NextPageToken = eventsToken(entries[n-1], f.MostAttempts)
	}
	return out, nil
}

// daysCounted is how many days are counted when none are named.
const daysCounted = 30

// GetLedgerHealth says whether events arrive.
func (r *Admin) GetLedgerHealth(ctx context.Context, _ *paymentsv1.GetLedgerHealthRequest) (*paymentsv1.LedgerHealth, error) {
	h, err := r.Service.LedgerHealth(ctx)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.LedgerHealth{LastHourEvents: h.LastHour, LastHourOrphaned: h.LastHourOrphaned, StrugglingEvents: h.Struggling}
	if h.DeliveredAt != nil {
		out.DeliveredAt = timestamppb.New(*h.DeliveredAt)
	}
	if h.StrugglingSince != nil {
		out.StrugglingSince = timestamppb.New(*h.StrugglingSince)
	}
	return out, nil
}

// CountResolutionMethods counts by what events found whom they are for.
func (r *Admin) CountResolutionMethods(ctx context.Context, req *paymentsv1.CountResolutionMethodsRequest) (*paymentsv1.CountResolutionMethodsResponse, error) {
	days := int(req.GetDays())
	if days == 0 {
		days = daysCounted
	}
	counts, err := r.Service.CountMethods(ctx, days)
	if err != nil {
		return nil, err
	}
	out := &paymentsv1.CountResolutionMethodsResponse{}
	for _, c := range counts {
		out.Methods = append(out.Methods, &paymentsv1.ResolutionMethodCount{
			ResolutionMethod: c.Method, Status: paymentsv1.WebhookEvent_Status(paymentsv1.WebhookEvent_Status_value[c.Status]), EventCount: c.Events,
		})
	}
	return out, nil
}

// LinkWebhookEvent says whose an event's customer is.
func (r *Admin) LinkWebhookEvent(ctx context.Context, req *paymentsv1.LinkWebhookEventRequest) (*paymentsv1.WebhookEvent, error) {
	if (req.GetOrderId() == "") == (req.GetAccountId() == "") {
		return nil, apperr.Invalid("order_id", "name an order or an account, and not both")
	}
	orderID, _ := uuid.Parse(req.GetOrderId())
	return eventReply(r.Service.LinkEvent(ctx, orderID, req.GetAccountId(), store.Act{
		EventID: req.GetStripeEventId(), Actor: access.From(ctx).Actor, Reason: req.GetReason(), DryRun: req.GetDryRun(),
	}))
}

// ReplayWebhookEvent handles an event again.
func (r *Admin) ReplayWebhookEvent(ctx context.Context, req *paymentsv1.ReplayWebhookEventRequest) (*paymentsv1.WebhookEvent, error) {
	return eventReply(r.Service.ReplayEvent(ctx, req.GetStripeEventId(), access.From(ctx).Actor))
}

// IgnoreWebhookEvent ends an event that needs nothing.
func (r *Admin) IgnoreWebhookEvent(ctx context.Context, req *paymentsv1.IgnoreWebhookEventRequest) (*paymentsv1.WebhookEvent, error) {
	return eventReply(r.Service.IgnoreEvent(ctx, store.Act{
		EventID: req.GetStripeEventId(), Actor: access.From(ctx).Actor, Reason: req.GetReason(), DryRun: req.GetDryRun(),
	}))
}

func eventReply(e store.Entry, err error) (*paymentsv1.WebhookEvent, error) {
	if err != nil {
		return nil, err
	}
	return webhookEvent(e), nil
}

func webhookEvent(e store.Entry) *paymentsv1.WebhookEvent {
	out := &paymentsv1.WebhookEvent{
		StripeEventId: e.EventID, Type: e.Type, Livemode: e.Livemode, ApiVersion: e.APIVersion,
		Status:       paymentsv1.WebhookEvent_Status(paymentsv1.WebhookEvent_Status_value[e.Status]),
		AttemptCount: e.AttemptCount, RetryCount: e.RetryCount, LastError: e.LastError, CustomerId: e.CustomerID,
		CustomerEmail: e.CustomerEmail, ResolutionMethod: e.ResolutionMethod, ReceivedAt: timestamppb.New(e.ReceivedAt),
	}
	if e.ProcessedAt != nil {
		out.ProcessedAt = timestamppb.New(*e.ProcessedAt)
	}
	return out
}

// eventsToken is where a page ended; opaque to callers, so that what it holds
// may change.
func eventsToken(last store.Entry, mostAttempts bool) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %d %q", orderName(mostAttempts), last.AttemptCount, last.ReceivedAt.UnixMicro(), last.EventID))
}

func parseEventsToken(token string, mostAttempts bool) (*store.Entry, error) {
	if token == "" {
		return nil, nil
	}
	var order string
	var micros int64
	last := &store.Entry{}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%s %d %d %q", &order, &last.AttemptCount, &micros, &last.EventID)
	}
	last.ReceivedAt = time.UnixMicro(micros).UTC()
	if err != nil || order != orderName(mostAttempts) || !pg.TimeFits(last.ReceivedAt) || !pg.TextFits(last.EventID) {
		return nil, apperr.Invalid("page_token", "is not from a page of this list")
	}
	return last, nil
}

func orderName(mostAttempts bool) string {
	if mostAttempts {
		return "attempts"
	}
	return "newest"
}
