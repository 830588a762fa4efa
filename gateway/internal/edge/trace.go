package edge

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
)

// begin begins the span of a request, in the trace that a page of the shop began in its
// browser or in one of its own. Nothing of the request is told but its method and its
// route: an address has the buyer's reference in it, and headers have who they are.
func begin(r *http.Request, info *requestInfo) (ctx context.Context, end func(status int)) {
	if isProbe(r.URL.Path) {
		return r.Context(), func(int) {}
	}
	ctx, span := tracing.Begin(tracing.Under(r.Context(), r.Header.Get("Traceparent")), "HTTP", trace.SpanKindServer)
	method := r.Method
	return ctx, func(status int) {
		if span.IsRecording() {
			switch method {
			case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
			default:
				method = "OTHER" // whoever asks may write anything there
			}
			span.SetName(method + " " + info.route)
			span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", info.route),
				attribute.Int("http.response.status_code", status))
			if info.reference != "" {
				span.SetAttributes(attribute.String("reference_short", strings.ToUpper(info.reference[:8])))
			}
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, info.reason)
			}
			tracing.About(ctx, info.orderID)
		}
		span.End()
	}
}

// isProbe says whether a path is asked several times a second by machines.
func isProbe(path string) bool { return path == healthPath || path == readyPath }
