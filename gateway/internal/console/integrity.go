package console

import (
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// windows are the times that a report can be made of.
var windows = []struct {
	Value, Text string
	For         time.Duration
}{
	{"today", "Last 24 hours", 24 * time.Hour}, {"week", "7 days", 7 * 24 * time.Hour}, {"month", "30 days", 30 * 24 * time.Hour}, {"all", "All time", 0},
}

// integrityBody is the proof: every charge has a place, and the sums agree.
type integrityBody struct {
	Window  string
	Windows any
	Report  *reconciliationv1.IntegrityReport
	Trouble *trouble
	Days    chart
	// DaysTrouble: the picture could not be drawn.
	DaysTrouble *trouble
}

// Served is how many charges of ours gave access.
func (b integrityBody) Served() (n int64) {
	for _, s := range b.Report.GetCharges() {
		switch s.GetDisposition() {
		case reconciliationv1.Disposition_MATCHED, reconciliationv1.Disposition_RECOVERED:
			n += s.GetChargeCount()
		}
	}
	return n
}

// Count is how many charges there are at all.
func (b integrityBody) Count() (n int64) {
	for _, s := range b.Report.GetCharges() {
		n += s.GetChargeCount()
	}
	return n
}

// Open is how many charges are not at rest, and nobody has decided about.
func (b integrityBody) Open() (n int64) {
	for _, s := range b.Report.GetCharges() {
		switch s.GetDisposition() {
		case reconciliationv1.Disposition_OPEN, reconciliationv1.Disposition_QUARANTINED:
			n += s.GetChargeCount()
		}
	}
	return n - b.Report.GetDecidedCount()
}

func (c *console) integrity(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.acting(r) // a report of all time takes its time
	defer cancel()
	b := integrityBody{Window: r.URL.Query().Get("window"), Windows: windows}
	ask := &reconciliationv1.GetIntegrityReportRequest{}
	known := false
	for _, win := range windows {
		if win.Value == b.Window && win.For > 0 {
			now := c.Now()
			ask.From, ask.Before = timestamppb.New(now.Add(-win.For)), timestamppb.New(now)
		}
		known = known || win.Value == b.Window
	}
	if !known {
		now := c.Now()
		b.Window, ask.From, ask.Before = "month", timestamppb.New(now.AddDate(0, 0, -30)), timestamppb.New(now)
	}
	var g errgroup.Group
	g.Go(func() error {
		report, err := c.recon.GetIntegrityReport(ctx, ask)
		b.Report, b.Trouble = report, troubleOf("Reconciliation", err)
		return nil
	})
	g.Go(func() error {
		days, err := c.recon.CountChargesByDay(ctx, &reconciliationv1.CountChargesByDayRequest{Days: chartDays})
		b.Days, b.DaysTrouble = newChart(days.GetDays(), c.Now()), troubleOf("Reconciliation", err)
		return nil
	})
	_ = g.Wait()
	c.show(w, r, v, "integrity", page{Title: "Integrity", Nav: "integrity", Body: b})
}
