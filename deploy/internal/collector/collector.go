// Package collector stands in for the collector that spans are sent to: OTLP over gRPC,
// kept in memory, for tests to read.
package collector

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

// Span is one that was received.
type Span struct {
	Service           string
	Trace, ID, Parent string
	Name              string
	Links             []string // the traces that it links to
	Attributes        map[string]string
	Failed            bool
	Status            string
	Begin             uint64
}

// Collector receives spans.
type Collector struct {
	collectorv1.UnimplementedTraceServiceServer
	// Settings are what a process needs to send its spans here, soon.
	Settings []string

	mu    sync.Mutex
	spans []Span
	raw   strings.Builder
}

// Start begins to receive, until the test ends.
func Start(t *testing.T) *Collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Collector{Settings: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + listener.Addr().String(), "OTEL_BSP_SCHEDULE_DELAY=100"}}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return c
}

// Export implements OTLP.
func (c *Collector) Export(_ context.Context, batch *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	text, err := protojson.Marshal(batch)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(append(text, '\n'))
	for _, from := range batch.GetResourceSpans() {
		service := attributes(from.GetResource().GetAttributes())["service.name"]
		for _, scope := range from.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, read(service, span))
			}
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func read(service string, span *tracev1.Span) Span {
	s := Span{
		Service: service, Name: span.GetName(), Begin: span.GetStartTimeUnixNano(),
		Trace: hex.EncodeToString(span.GetTraceId()), ID: hex.EncodeToString(span.GetSpanId()), Parent: hex.EncodeToString(span.GetParentSpanId()),
		Attributes: attributes(span.GetAttributes()),
		Failed:     span.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR, Status: span.GetStatus().GetMessage(),
	}
	for _, link := range span.GetLinks() {
		s.Links = append(s.Links, hex.EncodeToString(link.GetTraceId()))
	}
	return s
}

func attributes(list []*commonv1.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *commonv1.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *commonv1.AnyValue_IntValue:
			m[a.GetKey()] = fmt.Sprint(v.IntValue)
		}
	}
	return m
}

// Find lists the spans of which is holds, in the order of their beginnings.
func (c *Collector) Find(is func(Span) bool) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Span
	for _, s := range c.spans {
		if is(s) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b Span) int { return int(int64(a.Begin) - int64(b.Begin)) })
	return found
}

// Of is one trace.
func (c *Collector) Of(trace string) []Span {
	return c.Find(func(s Span) bool { return s.Trace == trace })
}

// Raw is everything that was received, as JSON.
func (c *Collector) Raw() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// Tree draws a trace, each span below the one that it belongs to.
func Tree(spans []Span) string {
	var out strings.Builder
	var draw func(parent string, depth int)
	known := map[string]bool{}
	for _, s := range spans {
		known[s.ID] = true
	}
	draw = func(parent string, depth int) {
		for _, s := range spans {
			if s.Parent != parent && (depth > 0 || known[s.Parent]) {
				continue
			}
			fmt.Fprintf(&out, "%s%s: %s\n", strings.Repeat("  ", depth), s.Service, s.Name)
			draw(s.ID, depth+1)
		}
	}
	draw("", 0)
	return out.String()
}
