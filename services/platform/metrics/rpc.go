package metrics

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// RPC counts calls by method and code, as a server and as a client. A nil one
// counts nothing.
type RPC struct{ server, client *side }

// callSeconds reaches from an indexed read to the longest call that is allowed.
var callSeconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// side is one end of the calls.
type side struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	methods sync.Map // of *bound by full method
}

// bound is one method's counters, looked up once.
type bound struct {
	method  string
	ok      prometheus.Counter
	seconds prometheus.Observer
}

func newRPC(r prometheus.Registerer) *RPC {
	return &RPC{
		server: newSide(r, "server", "Calls that this process answered"),
		client: newSide(r, "client", "Calls that this process made, each try of one that is repeated"),
	}
}

func newSide(r prometheus.Registerer, name, what string) *side {
	s := &side{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "makegood_rpc_" + name + "_calls_total", Help: what + ", by method and gRPC code.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "makegood_rpc_" + name + "_seconds", Help: what + ": how long they took, by method; streams are only counted.", Buckets: callSeconds,
		}, []string{"method"}),
	}
	r.MustRegister(s.calls, s.seconds)
	return s
}

func (s *side) of(fullMethod string) *bound {
	if b, ok := s.methods.Load(fullMethod); ok {
		return b.(*bound)
	}
	method := strings.TrimPrefix(fullMethod, "/")
	b := &bound{method: method, ok: s.calls.WithLabelValues(method, codes.OK.String()), seconds: s.seconds.WithLabelValues(method)}
	s.methods.Store(fullMethod, b)
	return b
}

func (s *side) count(b *bound, err error) {
	if err == nil {
		b.ok.Inc()
		return
	}
	s.calls.WithLabelValues(b.method, status.Code(err).String()).Inc()
}

// infrastructure is not about our work: health and reflection.
func infrastructure(fullMethod string) bool { return strings.HasPrefix(fullMethod, "/grpc.") }

// ServerUnary counts what is answered; it belongs outside of everything that
// decides the answer.
func (m *RPC) ServerUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if m == nil || infrastructure(info.FullMethod) {
		return handler(ctx, req)
	}
	b, began := m.server.of(info.FullMethod), time.Now()
	resp, err := handler(ctx, req)
	b.seconds.Observe(time.Since(began).Seconds())
	m.server.count(b, err)
	return resp, err
}

// ServerStream counts streams when they end.
func (m *RPC) ServerStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if m == nil || infrastructure(info.FullMethod) {
		return handler(srv, stream)
	}
	err := handler(srv, stream)
	m.server.count(m.server.of(info.FullMethod), err)
	return err
}

// ClientUnary counts the tries of a call; it belongs inside of what repeats them.
func (m *RPC) ClientUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if m == nil || infrastructure(method) {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	b, began := m.client.of(method), time.Now()
	err := invoke(ctx, method, req, reply, cc, opts...)
	b.seconds.Observe(time.Since(began).Seconds())
	m.client.count(b, err)
	return err
}

// ClientStream counts streams when they end.
func (m *RPC) ClientStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, begin grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := begin(ctx, desc, cc, method, opts...)
	if m == nil || infrastructure(method) {
		return stream, err
	}
	b := m.client.of(method)
	if err != nil {
		m.client.count(b, err)
		return nil, err
	}
	return &countedStream{ClientStream: stream, ended: func(err error) { m.client.count(b, err) }}, nil
}

// countedStream tells once how it ended.
type countedStream struct {
	grpc.ClientStream
	once  sync.Once
	ended func(error)
}

func (s *countedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil {
		s.once.Do(func() {
			if errors.Is(err, io.EOF) {
				s.ended(nil)
			} else {
				s.ended(err)
			}
		})
	}
	return err
}

// Dialed are the options of a connection whose calls are counted.
func (m *RPC) Dialed() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithChainUnaryInterceptor(m.ClientUnary), grpc.WithChainStreamInterceptor(m.ClientStream)}
}
