package clients

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/disposition"
)

// Provisioning says which orders gave access.
type Provisioning struct {
	client provisioningv1.ProvisioningServiceClient
	admin  provisioningv1.ProvisioningAdminServiceClient
}

// NewProvisioning uses a connection to Provisioning.
func NewProvisioning(conn grpc.ClientConnInterface) *Provisioning {
	return &Provisioning{provisioningv1.NewProvisioningServiceClient(conn), provisioningv1.NewProvisioningAdminServiceClient(conn)}
}

// hooksOverdue is how long the app may take for a hook before that is a problem.
const hooksOverdue = time.Hour

// HooksTaken says whether the SaaS's own app has taken what it was told, but for
// what is still on its way.
func (p *Provisioning) HooksTaken(ctx context.Context, now time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := p.admin.ListHooks(ctx, &provisioningv1.ListHooksRequest{Undelivered: true, PageSize: 1})
	if err != nil {
		return false, err
	}
	oldest := answer.GetOldestUndeliveredAt()
	return oldest == nil || now.Sub(oldest.AsTime()) < hooksOverdue, nil
}

// Match answers which of a page of orders gave access, by order, and how far the
// history of all grants goes.
func (p *Provisioning) Match(ctx context.Context, orderIDs []string) (grants map[string]disposition.Grant, history int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := p.client.MatchGrants(ctx, &provisioningv1.MatchGrantsRequest{OrderIds: orderIDs})
	if err != nil {
		return nil, 0, err
	}
	grants = make(map[string]disposition.Grant, len(answer.GetGrants()))
	for _, g := range answer.GetGrants() {
		grants[g.GetOrderId()] = disposition.Grant{Revoked: g.GetRevokedAt() != nil, Ended: g.GetEndedAt() != nil, EndsAt: g.GetEndsAt().AsTime()}
	}
	return grants, answer.GetHistoryPosition(), nil
}

// Message names a message to a customer.
type Message struct{ DedupeKey, Kind, OrderID string }

// Notifications knows the messages.
type Notifications struct {
	client notificationsv1.NotificationsServiceClient
}

// NewNotifications uses a connection to Notifications.
func NewNotifications(conn grpc.ClientConnInterface) *Notifications {
	return &Notifications{notificationsv1.NewNotificationsServiceClient(conn)}
}

// Known answers which of a page of dedupe keys have a message.
func (n *Notifications) Known(ctx context.Context, dedupeKeys []string) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := n.client.FindMessages(ctx, &notificationsv1.FindMessagesRequest{DedupeKeys: dedupeKeys})
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(answer.GetMessages()))
	for _, m := range answer.GetMessages() {
		known[m.GetDedupeKey()] = true
	}
	return known, nil
}

// Send has a message sent; once, however often it is asked for.
func (n *Notifications) Send(ctx context.Context, m Message) error {
	kind, ok := notificationsv1.Message_Kind_value[m.Kind]
	if !ok {
		return fmt.Errorf("there is no kind of message %q", m.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err := n.client.SendMessage(ctx, &notificationsv1.SendMessageRequest{
		DedupeKey: m.DedupeKey, Kind: notificationsv1.Message_Kind(kind), OrderId: m.OrderID,
	})
	return err
}

// ReportProblems says how all problems of a source stand as of a time.
func (n *Notifications) ReportProblems(ctx context.Context, source string, asOf time.Time, problems []cases.Problem) error {
	req := &notificationsv1.ReportIncidentsRequest{Source: source, AsOf: timestamppb.New(asOf)}
	for _, p := range problems {
		r := &notificationsv1.IncidentReport{
			Key: p.Key, Tier: notificationsv1.Incident_SAME_DAY, Title: p.Title, Meaning: p.Meaning, NextStep: p.Next,
			Count: p.Count, Since: timestamppb.New(p.Since),
		}
		if p.PageNow {
			r.Tier = notificationsv1.Incident_PAGE_NOW
		}
		if p.NewestAt != nil {
			r.NewestAt = timestamppb.New(*p.NewestAt)
		}
		for _, item := range p.Items {
			r.Items = append(r.Items, &notificationsv1.IncidentItem{Text: item.Text, Path: item.Path})
		}
		req.Incidents = append(req.Incidents, r)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err := n.client.ReportIncidents(ctx, req)
	return err
}

// Letter is a reply of a person on support.
type Letter struct{ To, Subject, Text, InReplyTo string }

// LetterKey names the reply that a wish asks for.
func LetterKey(wish string) string { return "reply/" + wish }

// SentLetter reads the reply that was queued under a key; false when none was.
func (n *Notifications) SentLetter(ctx context.Context, key string) (Letter, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := n.client.FindMessages(ctx, &notificationsv1.FindMessagesRequest{DedupeKeys: []string{key}})
	if err != nil || len(answer.GetMessages()) == 0 {
		return Letter{}, false, err
	}
	l := answer.GetMessages()[0].GetLetter()
	return Letter{To: l.GetTo(), Subject: l.GetSubject(), Text: l.GetText(), InReplyTo: l.GetInReplyTo()}, true, nil
}

// SendLetter queues a reply, once under a key. orderID may be empty.
func (n *Notifications) SendLetter(ctx context.Context, key, orderID string, l Letter) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err := n.client.SendMessage(ctx, &notificationsv1.SendMessageRequest{
		DedupeKey: key, Kind: notificationsv1.Message_SUPPORT_REPLY, OrderId: orderID,
		Letter: &notificationsv1.Letter{To: l.To, Subject: l.Subject, Text: l.Text, InReplyTo: l.InReplyTo},
	})
	return err
}
