package console

import (
	"net/http"

	"golang.org/x/sync/errgroup"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// queueBody is what waits for a person, and that the machine which decides so works.
type queueBody struct {
	Cases    []*reconciliationv1.Case
	Next     string
	Snoozed  bool
	Resolved bool
	Trouble  *trouble

	// LastRun is the newest sweep: an empty queue means something only while it runs.
	LastRun        *reconciliationv1.Run
	RunTrouble     *trouble
	Charging       *ordersv1.GetChargingResponse
	ChargingUnread *trouble
}

// queue is the first page: who has been waiting, the longest first.
func (c *console) queue(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	q := r.URL.Query()
	b := queueBody{Snoozed: q.Get("show") == "snoozed", Resolved: q.Get("show") == "resolved"}
	var g errgroup.Group
	g.Go(func() error {
		ask := &reconciliationv1.ListCasesRequest{State: reconciliationv1.Case_OPEN, IncludeSnoozed: b.Snoozed, PageToken: q.Get("page")}
		if b.Resolved {
			ask.State = reconciliationv1.Case_RESOLVED
		}
		list, err := c.recon.ListCases(ctx, ask)
		b.Cases, b.Next, b.Trouble = list.GetCases(), list.GetNextPageToken(), troubleOf("Reconciliation", err)
		return nil
	})
	g.Go(func() error {
		runs, err := c.recon.ListRuns(ctx, &reconciliationv1.ListRunsRequest{PageSize: 1})
		if len(runs.GetRuns()) > 0 {
			b.LastRun = runs.GetRuns()[0]
		}
		b.RunTrouble = troubleOf("Reconciliation", err)
		return nil
	})
	g.Go(func() (err error) {
		b.Charging, err = c.orders.GetCharging(ctx, &ordersv1.GetChargingRequest{})
		b.ChargingUnread = troubleOf("Orders", err)
		return nil
	})
	_ = g.Wait()
	c.show(w, r, v, "queue", page{Title: "Queue", Nav: "queue", Body: b})
}
