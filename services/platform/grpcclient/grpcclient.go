// Package grpcclient builds the one kind of connection that services use to
// reach each other: every call has a deadline, names its caller, and returns
// typed errors.
package grpcclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/balancer/leastrequest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // replicas are asked whether they serve
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/tracing"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 10 * time.Second

// windowBytes is how much of a call, and of a connection, may be on its way. It
// is fixed, as the server's: measuring the network costs more than it gains.
const windowBytes = 4 << 20

// Dialer opens the transport; nil is TCP. Tests pass in-memory connections.
type Dialer func(ctx context.Context, addr string) (net.Conn, error)

// A connection on which nothing came for pingAfter is asked whether anybody is
// there, and given up when nobody is within pingWithin: its calls go to another
// replica then. gRPC pings no sooner than after 10 s.
const (
	pingAfter  = 10 * time.Second
	pingWithin = 5 * time.Second
)

// Which replica gets a call: the one that owes this caller the fewest answers. One
// that hangs owes some, so that hardly more than one call waits with it, until the
// ping finds it out. Of 10 drawn by lot, the most that gRPC allows, the best: that all
// fall on the one that hangs happens to one call in a thousand with two replicas, in
// sixty thousand with three.
const (
	alone      = `{"loadBalancingConfig":[{"round_robin":{}}]}`
	replicated = `{"loadBalancingConfig":[{"` + leastrequest.Name + `":{"choiceCount":10}}],"healthCheckConfig":{"serviceName":""}}`
)

// dns is how an address begins that is a name of all replicas.
const dns = "dns:///"

// Dial prepares a connection to addr for the named caller: host:port, a comma list
// of replicas, or dns:///host:port, where each address of the name is one. A replica
// that says that it cannot work is not asked while another can; one that stands alone
// is asked anyway, and says itself what it lacks. Dial does not wait for the peer to
// be up. Interceptors among the options see each try of a call.
func Dial(addr, caller string, dialer Dialer, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	var addrs []resolver.Address
	for a := range strings.SplitSeq(addr, ",") {
		addrs = append(addrs, resolver.Address{Addr: strings.TrimSpace(a)})
	}
	target, serving := "replicas:///"+addr, alone
	if strings.HasPrefix(addr, dns) {
		target, serving = addr, replicated
	} else if len(addrs) > 1 {
		serving = replicated
	}
	replicas := manual.NewBuilderWithScheme("replicas")
	replicas.InitialState(resolver.State{Addresses: addrs})
	options := []grpc.DialOption{
		grpc.WithResolvers(replicas),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serving),
		// A killed peer is back within a second; gRPC's own backoff grows to minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithInitialWindowSize(windowBytes),
		grpc.WithInitialConnWindowSize(windowBytes),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingWithin, PermitWithoutStream: true}),
		grpc.WithChainUnaryInterceptor(outgoing(caller)),
		grpc.WithChainStreamInterceptor(outgoingStream(caller)),
	}
	if dialer != nil {
		options = append(options, grpc.WithContextDialer(dialer))
	}
	options = append(append(options, tracing.Client()...), more...)
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return conn, nil
}

func outgoing(caller string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
			defer cancel()
		}
		ctx = from(ctx, caller)
		for pause := retryFirst; ; pause *= 2 {
			err := apperr.FromStatus(invoke(ctx, method, req, reply, cc, opts...))
			if !connectionFailed(err) || pause > retryLast {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(pause):
			}
		}
	}
}

// from names the caller. Set, not appended: what came in with a request must not
// name its sender.
func from(ctx context.Context, caller string) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	md = md.Copy()
	md.Set(access.CallerKey, caller)
	return metadata.NewOutgoingContext(ctx, md)
}

// outgoingStream is outgoing for streams. They have no deadline but their
// caller's, and are not begun again by themselves.
func outgoingStream(caller string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, begin grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := begin(from(ctx, caller), desc, cc, method, opts...)
		if err != nil {
			return nil, apperr.FromStatus(err)
		}
		return typedStream{stream}, nil
	}
}

// typedStream gives the errors of a stream their types.
type typedStream struct{ grpc.ClientStream }

func (s typedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return apperr.FromStatus(err)
}

// A peer that restarts is back within a second, another replica at once, and every
// call between services is idempotent: three more tries spare a buyer the wait for a
// rescue. Only a connection that failed is a reason: an answer is an answer.
const (
	retryFirst = 100 * time.Millisecond
	retryLast  = 400 * time.Millisecond
)

// connectionFailed says whether err comes from the connection. What a peer
// itself says of its state has a reason, and is not asked again here.
func connectionFailed(err error) bool {
	e := apperr.Of(err)
	return e != nil && e.Code == codes.Unavailable && e.Reason == ""
}

// Unreachable says whether err means that the peer gave no answer, so that
// what was asked may or may not have been done.
func Unreachable(err error) bool {
	switch apperr.CodeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	default:
		return false
	}
}
