package clients

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/platform/money"
)

const (
	// proveTimeout bounds a report, which reads the newest movements at Stripe.
	proveTimeout = 30 * time.Second
	// differencesTold is how many differences are told by name.
	differencesTold = 3
)

// Prove reads what became of the charges of a window.
func (r *Runs) Prove(ctx context.Context, from, before time.Time) (incident.Proof, error) {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	report, err := r.client.GetIntegrityReport(ctx, &reconciliationv1.GetIntegrityReportRequest{From: timestamppb.New(from), Before: timestamppb.New(before)})
	if err != nil {
		return incident.Proof{}, codeOnly("reconciliation", err)
	}
	p := incident.Proof{Differences: report.GetDifferenceCount()}
	if !report.GetComplete() {
		p.Incomplete = report.GetIncompleteReason()
	}
	for _, s := range report.GetCharges() {
		p.Sums = append(p.Sums, incident.Sum{
			Disposition: s.GetDisposition().String(), Currency: s.GetCurrency(), Count: s.GetChargeCount(),
			AmountMinor: s.GetAmountMinor(), RefundedMinor: s.GetRefundedMinor(), DisputedMinor: s.GetDisputedMinor(),
		})
	}
	for _, by := range report.GetCompletedBy() {
		if by.GetRecoveredBy() != "" {
			p.Recovered = append(p.Recovered, incident.Recovered{
				By: by.GetRecoveredBy(), Orders: by.GetOrderCount(), Slowest: time.Duration(by.GetSlowestMs()) * time.Millisecond,
			})
		}
	}
	for _, d := range report.GetDifferences()[:min(len(report.GetDifferences()), differencesTold)] {
		p.DifferenceTexts = append(p.DifferenceTexts, fmt.Sprintf("%s: %s, expected %s and found %s",
			d.GetSubject(), d.GetWhat(), signed(d.GetExpectedMinor(), d.GetCurrency()), signed(d.GetFoundMinor(), d.GetCurrency())))
	}
	if at := report.GetOldestUnserved().GetChargedAt(); at != nil {
		charged := at.AsTime()
		p.OldestUnserved = &charged
	}
	return p, nil
}

// signed writes an amount, which may be one that went out.
func signed(amount int64, currency string) string {
	if amount < 0 {
		return "-" + money.Display(-amount, currency)
	}
	return money.Display(amount, currency)
}
