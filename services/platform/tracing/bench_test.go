package tracing_test

import (
	"context"
	"net"
	"syscall"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/tracing"
)

// BenchmarkCall is the processor time of one call between two services, with nothing
// around it; with the ids of traces, as without a collector; and recorded, with a
// collector that is away.
func BenchmarkCall(b *testing.B) {
	before := otel.GetTracerProvider()
	defer otel.SetTracerProvider(before)
	for _, way := range []struct {
		name     string
		traced   bool
		endpoint string
	}{{"bare", false, ""}, {"ids", true, ""}, {"recorded", true, "http://127.0.0.1:1"}} {
		b.Run(way.name, func(b *testing.B) {
			b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", way.endpoint)
			cfg := tracing.LoadConfig(config.NewReader(func(key string) (string, bool) {
				return way.endpoint, key == "OTEL_EXPORTER_OTLP_ENDPOINT" && way.endpoint != ""
			}))
			stop, err := tracing.Start(b.Context(), "bench", cfg, quiet)
			if err != nil {
				b.Fatal(err)
			}
			defer stop()
			call := dialed(b, way.traced)
			began := processorTime(b)
			for b.Loop() {
				ctx, end := b.Context(), func() {}
				if way.traced {
					var span trace.Span
					ctx, span = tracing.Begin(ctx, "request", trace.SpanKindServer)
					end = func() { span.End() }
				}
				if err := call(ctx); err != nil {
					b.Fatal(err)
				}
				end()
			}
			b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime is what this process has used, which other processes do not lengthen.
func processorTime(b *testing.B) int64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// dialed is one empty call, in memory.
func dialed(b *testing.B, traced bool) func(context.Context) error {
	b.Helper()
	var server []grpc.ServerOption
	listener := bufconn.Listen(1 << 16)
	client := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
	}
	if traced {
		server, client = tracing.Server(), append(client, tracing.Client()...)
	}
	s := grpc.NewServer(server...)
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "test.v1.TestService", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Ask",
		Handler: func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			in := &emptypb.Empty{}
			if err := decode(in); err != nil {
				return nil, err
			}
			answer := func(context.Context, any) (any, error) { return in, nil }
			if interceptor == nil {
				return answer(ctx, in)
			}
			return interceptor(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/test.v1.TestService/Ask"}, answer)
		},
	}}}, nil)
	go func() { _ = s.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", client...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
	})
	return func(ctx context.Context) error {
		return conn.Invoke(ctx, "/test.v1.TestService/Ask", &emptypb.Empty{}, &emptypb.Empty{})
	}
}
