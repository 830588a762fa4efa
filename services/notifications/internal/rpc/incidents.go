package rpc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/store"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
)

// ReportIncidents takes in how the incidents of a source stand.
func (s *Server) ReportIncidents(ctx context.Context, req *notificationsv1.ReportIncidentsRequest) (*notificationsv1.ReportIncidentsResponse, error) {
	reports := make([]incident.Report, 0, len(req.GetIncidents()))
	seen := map[string]bool{}
	for _, r := range req.GetIncidents() {
		if seen[r.GetKey()] {
			return nil, apperr.Invalid("incidents", "names "+r.GetKey()+" twice")
		}
		seen[r.GetKey()] = true
		report := incident.Report{
			Key: r.GetKey(), Tier: incident.Tier(r.GetTier().String()), Count: r.GetCount(), Since: when(r.GetSince()), NewestAt: when(r.GetNewestAt()),
			Words: incident.Words{Title: r.GetTitle(), Meaning: r.GetMeaning(), NextStep: r.GetNextStep()},
		}
		for _, item := range r.GetItems() {
			report.Words.Items = append(report.Words.Items, incident.Item{Text: item.GetText(), Path: item.GetPath()})
		}
		reports = append(reports, report)
	}
	return &notificationsv1.ReportIncidentsResponse{}, s.Service.ReportIncidents(ctx, req.GetSource(), req.GetAsOf().AsTime(), reports)
}

// ListIncidents lists incidents, the open ones first.
func (s *Server) ListIncidents(ctx context.Context, req *notificationsv1.ListIncidentsRequest) (*notificationsv1.ListIncidentsResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	var after *store.IncidentPosition
	if token := req.GetPageToken(); token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(raw, &after) != nil || after == nil {
			return nil, apperr.Invalid("page_token", "is not from a previous page")
		}
	}
	list, err := s.Service.ListIncidents(ctx, req.GetKey(), req.GetIncludeResolved(), after, size)
	if err != nil {
		return nil, err
	}
	out := &notificationsv1.ListIncidentsResponse{}
	for _, i := range list {
		out.Incidents = append(out.Incidents, s.incidentToProto(i))
	}
	if len(list) == size {
		last := list[size-1]
		raw, err := json.Marshal(store.IncidentPosition{Resolved: last.ResolvedAt != nil, ID: last.ID})
		if err != nil {
			return nil, err
		}
		out.NextPageToken = base64.RawURLEncoding.EncodeToString(raw)
	}
	return out, nil
}

// AcknowledgeIncident notes that the caller looks after an incident.
func (s *Server) AcknowledgeIncident(ctx context.Context, req *notificationsv1.AcknowledgeIncidentRequest) (*notificationsv1.Incident, error) {
	i, err := s.Service.AcknowledgeIncident(ctx, req.GetKey(), access.From(ctx).Actor, req.GetNote(), req.GetDryRun())
	if err != nil {
		return nil, err
	}
	return s.incidentToProto(i), nil
}

// SnoozeIncident keeps an incident quiet until a time.
func (s *Server) SnoozeIncident(ctx context.Context, req *notificationsv1.SnoozeIncidentRequest) (*notificationsv1.Incident, error) {
	i, err := s.Service.SnoozeIncident(ctx, req.GetKey(), access.From(ctx).Actor, req.GetUntil().AsTime(), req.GetReason(), req.GetDryRun())
	if err != nil {
		return nil, err
	}
	return s.incidentToProto(i), nil
}

func (s *Server) incidentToProto(i incident.Incident) *notificationsv1.Incident {
	out := &notificationsv1.Incident{
		Id: i.ID, Key: i.Key, Tier: notificationsv1.Incident_Tier(notificationsv1.Incident_Tier_value[string(i.Tier)]),
		Title: i.Words.Title, Meaning: i.Words.Meaning, NextStep: i.Words.NextStep, Count: i.Count,
		OpenedAt: timestamppb.New(i.OpenedAt), ChangedAt: timestamppb.New(i.ChangedAt), ResolvedAt: stamp(i.ResolvedAt),
		AcknowledgedBy: i.AcknowledgedBy, AcknowledgedAt: stamp(i.AcknowledgedAt), SnoozedUntil: stamp(i.SnoozedUntil),
	}
	for _, item := range i.Words.Items {
		out.Items = append(out.Items, &notificationsv1.IncidentItem{Text: item.Text, Path: item.Path})
	}
	for _, e := range i.Events {
		out.Events = append(out.Events, &notificationsv1.IncidentEvent{What: e.What, Actor: e.Actor, Note: e.Note, At: timestamppb.New(e.At)})
	}
	for _, t := range i.Channels {
		out.Channels = append(out.Channels, &notificationsv1.IncidentChannel{
			Channel: s.Service.ChannelName(t.Channel), ToldAt: stamp(t.At), LastError: t.LastError,
		})
	}
	return out
}

func when(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime()
	return &at
}

func stamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}
