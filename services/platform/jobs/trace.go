package jobs

import (
	"context"
	"encoding/json"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
)

// traced keeps, with each job and in its transaction, the trace that queued it. What is
// worked at once is a part of that trace; what comes later, or again, is one of its own
// that links to it.
type traced struct{ river.MiddlewareDefaults }

// atOnce is how soon work still belongs to the request that queued it.
const atOnce = time.Minute

type metadata struct {
	TraceParent string `json:"trace_parent,omitempty"`
}

// InsertMany implements rivertype.JobInsertMiddleware.
func (*traced) InsertMany(ctx context.Context, jobs []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	if parent := tracing.Parent(ctx); parent != "" {
		for _, job := range jobs {
			if len(job.Metadata) > len("{}") {
				continue // somebody's own
			}
			kept, err := json.Marshal(metadata{TraceParent: parent})
			if err != nil {
				return nil, err
			}
			job.Metadata = kept
		}
	}
	return insert(ctx)
}

// Work implements rivertype.WorkerMiddleware.
func (*traced) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	var queued metadata
	_ = json.Unmarshal(job.Metadata, &queued) // without it, it is a trace of its own
	isPart := job.Attempt == 1 && time.Since(job.CreatedAt) < atOnce
	if isPart {
		ctx = tracing.Under(ctx, queued.TraceParent)
	}
	ctx, span := tracing.Begin(ctx, "job "+job.Kind, trace.SpanKindConsumer, attribute.Int("attempt", job.Attempt))
	if !isPart {
		tracing.Link(ctx, &queued.TraceParent)
	}
	err := work(ctx)
	tracing.End(span, err)
	return err
}
