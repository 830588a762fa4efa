// Package run is one half of Reconciliation's domain: a sweep, as it is
// recorded. It knows no database and no wire.
package run

import (
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

var (
	// ErrInProgress refuses a second run beside one that is still working.
	ErrInProgress = apperr.New(codes.Aborted, "RUN_IN_PROGRESS", "a reconciliation run is in progress")
	// ErrTakenOver ends a run that went silent for so long that it was recorded
	// as abandoned.
	ErrTakenOver = apperr.New(codes.Aborted, "RUN_TAKEN_OVER", "the run was taken for dead and another may have begun")
)

// Status is where a run stands.
type Status string

// The statuses of a run.
const (
	Running Status = "RUNNING"
	// Succeeded looked at everything that was due; Errors counts what could not
	// be mended, and the single charges that could not be read and are due again.
	Succeeded Status = "SUCCEEDED"
	// Failed could not even list something; what was done is kept.
	Failed Status = "FAILED"
)

const (
	// Lease is how long a run may be silent before it is taken for dead.
	Lease = 20 * time.Second
	// Heartbeat is how often a run saves its progress and renews the lease.
	Heartbeat = 4 * time.Second
	// Abandoned is the detail of a run that was taken for dead.
	Abandoned = "abandoned: its process ended, or was silent for too long, before the run had finished"
	// Stopped is the detail of a run whose process was told to stop.
	Stopped = "stopped before its end; the next run goes on"
)

// Counts are what a run has found so far.
type Counts struct {
	// StuckFound are the orders that were stuck when the run looked, and
	// StuckRecovered those of them that have access now.
	StuckFound, StuckRecovered int
	// ChargesChecked are the charges that were looked at. OrphansFound are those of
	// ours that had no order, and OrphansRecovered those of them that have access now.
	ChargesChecked, OrphansFound, OrphansRecovered int
	// EventsAdded are events that the webhook ledger lacked.
	EventsAdded int
	// ConfirmationsSent are messages that nobody had sent for.
	ConfirmationsSent int
	// Errors are things that could not be looked at, or not be mended.
	Errors int
	// Dispositions has a count for each disposition of the charges checked.
	Dispositions map[string]int64
}

// add counts what d found, too.
func (c *Counts) add(d Counts) {
	c.StuckFound += d.StuckFound
	c.StuckRecovered += d.StuckRecovered
	c.ChargesChecked += d.ChargesChecked
	c.OrphansFound += d.OrphansFound
	c.OrphansRecovered += d.OrphansRecovered
	c.EventsAdded += d.EventsAdded
	c.ConfirmationsSent += d.ConfirmationsSent
	c.Errors += d.Errors
	for kind, n := range d.Dispositions {
		if c.Dispositions == nil {
			c.Dispositions = map[string]int64{}
		}
		c.Dispositions[kind] += n
	}
}

// Run is one sweep, as it was recorded.
type Run struct {
	ID         int64
	StartedAt  time.Time
	FinishedAt *time.Time
	Status     Status
	// DryRun: nothing was changed.
	DryRun bool
	Counts
	// Details has one line per finding.
	Details []string
}

// CutShort says whether the run did not reach its end.
func (r Run) CutShort() bool {
	return r.Status == Failed && (slices.Contains(r.Details, Abandoned) || slices.Contains(r.Details, Stopped))
}

// StuckOrder is an order that is not at rest and made no progress for a while.
type StuckOrder struct {
	ID    string
	State string
	// Since is when it last made progress.
	Since time.Time
	// Waits: as far as was heard it waits for its buyer or the bank.
	Waits bool
}
