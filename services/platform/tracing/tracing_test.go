package tracing_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/tracing"
)

var quiet = slog.New(slog.DiscardHandler)

func load(t *testing.T, settings ...string) (tracing.Config, error) {
	t.Helper()
	env := map[string]string{}
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		env[key] = value
	}
	r := config.NewReader(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
	return tracing.LoadConfig(r), r.Err()
}

func TestSettings(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"
	for _, c := range []struct {
		settings []string
		export   bool
		problem  string
	}{
		{nil, false, ""},
		{[]string{endpoint}, true, ""},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://collector.example:4317"}, true, ""},
		{[]string{endpoint, "OTEL_SDK_DISABLED=true"}, false, ""},
		{[]string{endpoint, "OTEL_TRACES_EXPORTER=none"}, false, ""},
		{[]string{endpoint, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.1"}, true, ""},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317"}, false, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{[]string{endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}, false, "4317"},
		{[]string{"OTEL_TRACES_EXPORTER=jaeger"}, false, "jaeger"},
		{[]string{"OTEL_TRACES_SAMPLER=some"}, false, "OTEL_TRACES_SAMPLER"},
		{[]string{"OTEL_TRACES_SAMPLER_ARG=2"}, false, "OTEL_TRACES_SAMPLER_ARG"},
	} {
		cfg, err := load(t, c.settings...)
		switch {
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%v: %v", c.settings, err)
		case c.problem == "" && (err != nil || cfg.Export != c.export):
			t.Errorf("%v: %+v %v", c.settings, cfg, err)
		}
	}
}

// recorded keeps the spans of a test. What is recorded is one for the whole process.
func recorded(t *testing.T, sampler sdktrace.Sampler) *tracetest.SpanRecorder {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sampler)))
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	return spans
}

func TestWhatComesLaterLinksToWhatWasBegun(t *testing.T) {
	spans := recorded(t, sdktrace.AlwaysSample())
	purchase, placing := tracing.Begin(t.Context(), "purchase", trace.SpanKindServer)
	row := tracing.RecordedParent(purchase)
	tracing.Link(purchase, row) // it reads its own row
	tracing.End(placing, nil)

	look, looking := tracing.Begin(t.Context(), "look", trace.SpanKindConsumer)
	for range 3 {
		tracing.Link(look, row)
	}
	none, nonsense := "", "00-nonsense"
	for _, r := range []*string{nil, &none, &nonsense} {
		tracing.Link(look, r)
	}
	tracing.About(look, "order-1")
	tracing.End(looking, errors.New("it stays due"))

	ended := spans.Ended()
	if links := ended[0].Links(); len(links) != 0 {
		t.Errorf("it links to itself: %v", links)
	}
	links := ended[1].Links()
	if len(links) != 1 || links[0].SpanContext.SpanID() != placing.SpanContext().SpanID() || ended[1].SpanContext().TraceID() == ended[0].SpanContext().TraceID() {
		t.Errorf("%v", links)
	}
	if s := ended[1].Status(); s.Description != "it stays due" || ended[1].Attributes()[0].Value.AsString() != "order-1" {
		t.Errorf("%v %v", s, ended[1].Attributes())
	}
}

// A stranger's id is kept, so that their page and we speak of the same; whether it is
// recorded, they do not decide.
func TestAStrangerDoesNotDecideWhatIsRecorded(t *testing.T) {
	for name, want := range map[string]bool{"parentbased_always_on": true, "parentbased_always_off": false} {
		cfg, err := load(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_TRACES_SAMPLER="+name)
		if err != nil {
			t.Fatal(err)
		}
		before := otel.GetTracerProvider()
		cfg.FromOutside = true
		stop, err := tracing.Start(t.Context(), "edge", cfg, quiet)
		if err != nil {
			t.Fatal(err)
		}
		for _, wish := range []string{"00", "01"} {
			ctx := tracing.Under(t.Context(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"+wish)
			_, span := tracing.Begin(ctx, "request", trace.SpanKindServer)
			if span.IsRecording() != want || span.SpanContext().TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" {
				t.Errorf("%s, wish %s: %v, recorded %t", name, wish, span.SpanContext(), span.IsRecording())
			}
		}
		stop()
		otel.SetTracerProvider(before)
	}
	if _, err := tracing.Start(t.Context(), "edge", tracing.Config{}, nil); err != nil || tracing.On() {
		t.Errorf("it is still on, %v", err)
	}
}

// A ratio of traces is chosen by their ids, which a stranger may choose, too.
func TestAStrangerDoesNotChooseAnIDThatIsRecorded(t *testing.T) {
	cfg, err := load(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.000000001")
	if err != nil {
		t.Fatal(err)
	}
	cfg.FromOutside = true
	before := otel.GetTracerProvider()
	stop, err := tracing.Start(t.Context(), "edge", cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); otel.SetTracerProvider(before) })
	_, span := tracing.Begin(tracing.Under(t.Context(), "00-4bf92f3577b34da60000000000000001-00f067aa0ba902b7-01"), "request", trace.SpanKindServer)
	if span.IsRecording() || span.SpanContext().TraceID().String() != "4bf92f3577b34da60000000000000001" {
		t.Errorf("%v is recorded: %t", span.SpanContext(), span.IsRecording())
	}
}

// Without a collector a request has an id all the same.
func TestLinesHaveTheTraceTheyAreOf(t *testing.T) {
	stop, err := tracing.Start(t.Context(), "test", tracing.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var out bytes.Buffer
	log := slog.New(tracing.Log(slog.NewJSONHandler(&out, nil))).With("service", "test")
	log.InfoContext(context.Background(), "outside")
	ctx, span := tracing.Begin(t.Context(), "request", trace.SpanKindServer)
	log.InfoContext(ctx, "inside")
	lines := strings.Split(out.String(), "\n")
	if strings.Contains(lines[0], "trace_id") || !strings.Contains(lines[1], `"service":"test","trace_id":"`+span.SpanContext().TraceID().String()+`"}`) {
		t.Errorf("%s", out.String())
	}
	if tracing.RecordedParent(ctx) != nil || tracing.Parent(ctx) == "" {
		t.Error("a row would link to what nobody recorded, or the next process would not hear of it")
	}
}
