package tracing

import (
	"context"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// Server are the options of a gRPC server whose calls belong to their callers' traces.
// Without a collector they carry only the id, which costs next to nothing.
func Server() []grpc.ServerOption {
	if On() {
		return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithFilter(ours)))}
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(receive)}
}

// Client is Server for connections. Each try of a call has a span of its own.
func Client() []grpc.DialOption {
	if On() {
		return []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(otelgrpc.WithFilter(ours)))}
	}
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(send)}
}

// ours are the calls about our work: not health and reflection.
func ours(info *stats.RPCTagInfo) bool { return !strings.HasPrefix(info.FullMethodName, "/grpc.") }

func receive(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if parent := metadata.ValueFromIncomingContext(ctx, parentKey); len(parent) == 1 {
		ctx = Under(ctx, parent[0])
	}
	return handler(ctx, req)
}

func send(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if parent := Parent(ctx); parent != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, parentKey, parent)
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}
