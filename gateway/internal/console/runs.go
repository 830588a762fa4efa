package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"makegood.example/gateway/internal/edge"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// watchFor is how long a page follows a run; the run itself goes on.
const watchFor = 30 * time.Minute

// runsBody is the recorded runs.
type runsBody struct {
	Runs    []*reconciliationv1.Run
	Next    string
	Trouble *trouble
}

func (c *console) listRuns(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	list, err := c.recon.ListRuns(ctx, &reconciliationv1.ListRunsRequest{PageSize: 20, PageToken: r.URL.Query().Get("page")})
	c.show(w, r, v, "runs", page{Title: "Runs", Nav: "runs", Body: runsBody{list.GetRuns(), list.GetNextPageToken(), troubleOf("Reconciliation", err)}})
}

// watchBody is a run while it goes on: Runs are its states so far, and each newer
// one covers the one before.
type watchBody struct {
	DryRun bool
	Run    *reconciliationv1.Run
	// Ended: there is no more to come, for the reason in Trouble if there is one.
	Ended   bool
	Trouble *trouble
}

// startRun starts a sweep and sends the page bit by bit while it goes on. That needs
// no script: the stylesheet shows the newest state alone. When the reader leaves,
// the run goes on.
func (c *console) startRun(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := context.WithTimeout(withToken(edge.UntilServerStops(r.Context()), v.token), watchFor)
	defer cancel()
	stop := context.AfterFunc(r.Context(), cancel) // the watch ends with its reader
	defer stop()
	dry := r.PostFormValue("dry_run") == "yes"
	stream, err := c.recon.WatchRun(ctx, &reconciliationv1.WatchRunRequest{DryRun: dry})
	var first *reconciliationv1.Run
	if err == nil {
		first, err = stream.Recv()
	}
	if err != nil {
		c.inTrouble(w, r, v, "runs", "Run", actedTrouble("Reconciliation", err))
		return
	}
	p := c.dressed(r, page{Title: "Run", Nav: "runs", Visit: v, Body: watchBody{DryRun: dry}})
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A proxy that collects the page would show it when the run is over.
	w.Header().Set("X-Accel-Buffering", "no")
	send := func(part string, b watchBody) bool {
		p.Now, p.Body = c.Now().UTC(), b
		_ = out.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if _, err := w.Write(c.render("watch", part, p)); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send("watch-top", watchBody{DryRun: dry}) {
		return
	}
	for run := first; ; {
		if !send("watch-state", watchBody{DryRun: dry, Run: run, Ended: run.GetStatus() != reconciliationv1.Run_RUNNING}) {
			return
		}
		if run, err = stream.Recv(); err != nil {
			break
		}
	}
	last := watchBody{DryRun: dry, Ended: true}
	if !errors.Is(err, io.EOF) {
		last.Trouble = troubleOf("Reconciliation", err)
	}
	send("watch-end", last)
}
