package service

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/desk"
)

// errIncidentNotFound is as Notifications has it.
var errIncidentNotFound = apperr.New(codes.NotFound, "INCIDENT_NOT_FOUND", "no incident of this name is open")

// AcknowledgeIncident says that the person looks after an incident. Errors: those of
// Notifications.
func (s *Service) AcknowledgeIncident(ctx context.Context, a desk.Act, key, note string) (Acted, error) {
	return s.actOnIncident(ctx, a, key, "incident acknowledged", func(ctx context.Context) (*notificationsv1.Incident, error) {
		return s.Notifications.AcknowledgeIncident(ctx, &notificationsv1.AcknowledgeIncidentRequest{Key: key, Note: note, DryRun: a.DryRun})
	})
}

// SnoozeIncident keeps an incident quiet until a time. Errors: those of Notifications.
func (s *Service) SnoozeIncident(ctx context.Context, a desk.Act, key string, until time.Time, reason string) (Acted, error) {
	return s.actOnIncident(ctx, a, key, "incident snoozed", func(ctx context.Context) (*notificationsv1.Incident, error) {
		return s.Notifications.SnoozeIncident(ctx, &notificationsv1.SnoozeIncidentRequest{Key: key, Until: timestamppb.New(until), Reason: reason, DryRun: a.DryRun})
	})
}

// actOnIncident is an action about the open incident of a key.
func (s *Service) actOnIncident(ctx context.Context, a desk.Act, key, what string, do func(context.Context) (*notificationsv1.Incident, error)) (Acted, error) {
	var now *notificationsv1.Incident
	return s.act(ctx, a, deed{
		subjects: []string{"incident/" + key},
		stands: func(ctx context.Context) any {
			i, err := s.Notifications.Incident(ctx, key)
			if err != nil || i == nil {
				return nil
			}
			return incidentStands(i)
		},
		do: func(ctx context.Context) (did, error) {
			before, err := s.Notifications.Incident(ctx, key)
			switch {
			case err != nil:
				return did{}, err
			case before == nil:
				return did{}, errIncidentNotFound
			}
			if now, err = do(ctx); err != nil {
				return did{}, err
			}
			step := desk.Step{What: what, Outcome: a.Did()}
			if now.GetId() == before.GetId() && now.GetChangedAt().AsTime().Equal(before.GetChangedAt().AsTime()) {
				step.Outcome, step.Note = desk.NotNeeded, "it was so already"
			}
			return did{steps: []desk.Step{step}}, nil
		},
		show: func(ctx context.Context, out *Acted) (err error) {
			if now == nil { // answered from the audit
				now, err = s.Notifications.Incident(ctx, key)
			}
			out.Incident = now
			return err
		},
	})
}

// incidentStands is how an incident stands, for the audit.
func incidentStands(i *notificationsv1.Incident) any {
	stands := struct {
		Tier           string     `json:"tier"`
		Count          int64      `json:"count"`
		AcknowledgedBy string     `json:"acknowledged_by,omitempty"`
		SnoozedUntil   *time.Time `json:"snoozed_until,omitempty"`
	}{Tier: i.GetTier().String(), Count: i.GetCount(), AcknowledgedBy: i.GetAcknowledgedBy()}
	if until := i.GetSnoozedUntil(); until != nil {
		at := until.AsTime()
		stands.SnoozedUntil = &at
	}
	return stands
}
