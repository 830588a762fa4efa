// Package tracing is where a request's trace begins, how it is carried on, and
// where it is sent: by OpenTelemetry, to a collector that the standard OTEL_*
// variables name. Without one nothing is recorded: a request still has its id, by
// which the log lines of all services join.
package tracing

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/config"
)

// Config is where spans go, and which of them.
type Config struct {
	// Export: a collector was named.
	Export bool
	// Sampler decides which traces are recorded; nil records none.
	Sampler sdktrace.Sampler
	// FromOutside: requests come from strangers, whose wish to be recorded counts for
	// nothing. The ids of their traces are kept.
	FromOutside bool
}

// LoadConfig reads which traces go to a collector. How it is reached, with which
// headers, certificate and timeout, the exporter itself reads from OTEL_EXPORTER_OTLP_*.
func LoadConfig(r *config.Reader) Config {
	endpoint := r.URL("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", r.URL("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
	cfg := Config{Export: endpoint != "" && r.String("OTEL_SDK_DISABLED", "false") != "true"}
	switch exporter := r.String("OTEL_TRACES_EXPORTER", "otlp"); exporter {
	case "otlp":
	case "none":
		cfg.Export = false
	default:
		r.Problem("OTEL_TRACES_EXPORTER=%q is neither otlp nor none", exporter)
	}
	if protocol := r.String("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", r.String("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")); protocol != "grpc" {
		r.Problem("OTEL_EXPORTER_OTLP_PROTOCOL=%q: spans are sent by grpc; name the collector's port for that, usually 4317", protocol)
	}
	cfg.Sampler = sampler(r)
	return cfg
}

func sampler(r *config.Reader) sdktrace.Sampler {
	ratio := 1.0
	if arg := r.String("OTEL_TRACES_SAMPLER_ARG", ""); arg != "" {
		var err error
		if ratio, err = strconv.ParseFloat(arg, 64); err != nil || ratio < 0 || ratio > 1 {
			r.Problem("OTEL_TRACES_SAMPLER_ARG=%q is not a ratio from 0 to 1", arg)
		}
	}
	samplers := map[string]sdktrace.Sampler{
		"always_on": sdktrace.AlwaysSample(), "always_off": sdktrace.NeverSample(), "traceidratio": sdktrace.TraceIDRatioBased(ratio),
		"parentbased_always_on":    sdktrace.ParentBased(sdktrace.AlwaysSample()),
		"parentbased_always_off":   sdktrace.ParentBased(sdktrace.NeverSample()),
		"parentbased_traceidratio": sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio)),
	}
	name := r.String("OTEL_TRACES_SAMPLER", "parentbased_always_on")
	if samplers[name] == nil {
		r.Problem("OTEL_TRACES_SAMPLER=%q is none of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio", name)
	}
	return samplers[name]
}

// stranger decides about what comes from outside as about what begins here.
type stranger struct{ sdktrace.Sampler }

func (s stranger) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if trace.SpanContextFromContext(p.ParentContext).IsRemote() {
		p.ParentContext = trace.ContextWithSpanContext(p.ParentContext, trace.SpanContext{})
		// A ratio decides by the id, and they chose that, too.
		binary.BigEndian.PutUint64(p.TraceID[8:], rand.Uint64())
	}
	return s.Sampler.ShouldSample(p)
}

// recording says whether spans are sent anywhere. OpenTelemetry itself is one for the
// whole process, and so is this.
var recording atomic.Bool

// stopFor is how long the last spans may take to reach the collector.
const stopFor = time.Second

// Start begins tracing for the process: to be called before what is traced is made.
// The collector may be away; what does not find it is dropped, and the log says so
// once. Call stop at the end.
func Start(ctx context.Context, service string, cfg Config, log *slog.Logger) (stop func(), err error) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if !cfg.Export {
		recording.Store(false)
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())))
		return func() {}, nil
	}
	otel.SetErrorHandler(&once{log: log})
	exporter, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	res, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.namespace", "makegood")))
	if err != nil {
		return nil, fmt.Errorf("tracing: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	if cfg.FromOutside {
		cfg.Sampler = stranger{cfg.Sampler}
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res), sdktrace.WithSampler(cfg.Sampler))
	recording.Store(true)
	otel.SetTracerProvider(provider)
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
		defer cancel()
		_ = provider.Shutdown(last)
	}, nil
}

// On says whether spans are recorded and sent: what serves only them can be spared
// otherwise.
func On() bool { return recording.Load() }

// once logs that spans are lost when that begins: a collector that is away is tried
// again every few seconds.
type once struct {
	log  *slog.Logger
	last atomic.Int64
}

// quietFor is how long after the last failure the next is news.
const quietFor = 10 * time.Minute

// Handle implements otel.ErrorHandler.
func (o *once) Handle(err error) {
	now := time.Now()
	if last := o.last.Swap(now.UnixNano()); now.Sub(time.Unix(0, last)) > quietFor {
		o.log.Warn("traces do not reach the collector; nothing else depends on it", "error", err.Error())
	}
}
