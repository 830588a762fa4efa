package service

import (
	"context"
	"time"

	"makegood.example/services/reconciliation/internal/cases"
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
	problems := make([]cases.Problem, len(standings))
	for n, st := range standings {
		problems[n] = st.Problem()
	}
	return s.Notifications.ReportProblems(ctx, "cases", now, problems)
}

// ledgerEvery is the pause between two reports of how events arrive.
const ledgerEvery = time.Minute

// ClaimLedgerLook says whether how Stripe's events arrive is to be told.
func (s *Service) ClaimLedgerLook(ctx context.Context, _ int) ([]bool, error) {
	now := s.now()
	return s.Store.ClaimLedgerLook(ctx, now, now.Add(ledgerEvery))
}

// ReportLedger tells Notifications how Stripe's events arrive. While Payments cannot
// be asked, what was told stays.
func (s *Service) ReportLedger(ctx context.Context, _ bool) error {
	now := s.now()
	l, err := s.Payments.LedgerHealth(ctx)
	if err != nil {
		return err
	}
	if err := s.Store.AddMissed(ctx, &l, now); err != nil {
		return err
	}
	return s.Notifications.ReportProblems(ctx, "ledger", now, l.Problems(now))
}
