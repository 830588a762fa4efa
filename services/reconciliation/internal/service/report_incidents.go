package service

import (
	"context"
	"time"
)

// incidentsEvery is the pause between two reports of how the cases stand.
const incidentsEvery = 5 * time.Second

// ClaimIncidentLook says whether how the cases stand is to be told.
func (s *Service) ClaimIncidentLook(ctx context.Context, _ int) ([]bool, error) {
	now := s.now()
	return s.Store.ClaimIncidentLook(ctx, now, now.Add(incidentsEvery))
}

// ReportIncidents tells Notifications how the open cases stand, each kind as one
// problem: all of it each time, so that whatever was lost on the way is mended by the
// next report.
func (s *Service) ReportIncidents(ctx context.Context, _ bool) error {
	now := s.now()
	standings, err := s.Store.Standings(ctx, now)
	if err != nil {
		return err
	}
	return s.Notifications.ReportCases(ctx, now, standings)
}
