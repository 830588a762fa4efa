package tracing

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names us among the instrumentations whose spans a collector gets.
const scope = "makegood"

// Begin begins a span below the one that ctx is in, or a trace. End it.
func Begin(ctx context.Context, name string, kind trace.SpanKind, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	return otel.Tracer(scope).Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
}

// End ends a span with what became of it. The error's text is what the log has, too.
func End(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// About says which order the span that ctx is in is about.
func About(ctx context.Context, orderID string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() && orderID != "" {
		span.SetAttributes(attribute.String("order_id", orderID))
	}
}

const parentKey = "traceparent"

// Parent is the span that ctx is in as W3C's traceparent, or "".
func Parent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[parentKey]
}

// RecordedParent is Parent when that span is recorded; nil, as a column is, otherwise:
// nobody could follow a link to it.
func RecordedParent(ctx context.Context) *string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return nil
	}
	parent := Parent(ctx)
	return &parent
}

// Under is ctx in the trace of a traceparent that came from elsewhere. One that cannot
// be read is none.
func Under(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{parentKey: parent})
}

// Link says that the span that ctx is in goes on with what another trace began: a look,
// a webhook, a sweep, with the purchase that wrote the row which they found. nil says
// nothing, and so does one's own trace.
func Link(ctx context.Context, parent *string) {
	span := trace.SpanFromContext(ctx)
	if parent == nil || !span.IsRecording() {
		return
	}
	to := trace.SpanContextFromContext(Under(context.Background(), *parent))
	if !to.IsValid() || to.TraceID() == span.SpanContext().TraceID() {
		return
	}
	if told, ok := span.(sdktrace.ReadOnlySpan); ok {
		for _, link := range told.Links() {
			if link.SpanContext.Equal(to) {
				return // it read the row before
			}
		}
	}
	span.AddLink(trace.Link{SpanContext: to})
}
