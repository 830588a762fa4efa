package grpcclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
)

// peer answers health checks and keeps what it was asked with.
type peer struct {
	healthv1.UnimplementedHealthServer
	says     atomic.Int32                  // of its health, when watched; 0 is nothing
	hold     atomic.Pointer[chan struct{}] // until it is closed, nothing is answered
	calls    atomic.Int64
	md       metadata.MD
	deadline time.Duration
	err      error
}

func (p *peer) Check(ctx context.Context, _ *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	p.calls.Add(1)
	if hold := p.hold.Load(); hold != nil {
		<-*hold
	}
	p.md, _ = metadata.FromIncomingContext(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		p.deadline = time.Until(deadline)
	}
	return &healthv1.HealthCheckResponse{}, p.err
}

// serve runs a peer on addr and returns its address and how to kill it.
func serve(t *testing.T, p *peer, addr string) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, p)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), s.Stop
}

func dial(t *testing.T, addr string) healthv1.HealthClient {
	t.Helper()
	conn, err := grpcclient.Dial(addr, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return healthv1.NewHealthClient(conn)
}

func ask(ctx context.Context, c healthv1.HealthClient) error {
	_, err := c.Check(ctx, &healthv1.HealthCheckRequest{})
	return err
}

func TestACallNamesItsCallerAndHasADeadline(t *testing.T) {
	p := &peer{}
	addr, _ := serve(t, p, "127.0.0.1:0")
	ctx := metadata.AppendToOutgoingContext(t.Context(), access.CallerKey, "payments", "authorization", "Bearer x")
	if err := ask(ctx, dial(t, addr)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.md.Get(access.CallerKey), p.md.Get("authorization")); got != "[orders] [Bearer x]" {
		t.Errorf("said %s", got)
	}
	if p.deadline <= 0 || p.deadline > grpcclient.DefaultTimeout {
		t.Errorf("a deadline in %s", p.deadline)
	}
	if md, _ := metadata.FromOutgoingContext(ctx); fmt.Sprint(md.Get(access.CallerKey)) != "[payments]" {
		t.Error("the caller's context was changed")
	}
}

func TestWhatUnreachableMeans(t *testing.T) {
	for err, want := range map[error]bool{
		apperr.New(codes.Unavailable, "X", ""): true, apperr.New(codes.DeadlineExceeded, "X", ""): true,
		context.DeadlineExceeded: true, context.Canceled: true,
		apperr.FromStatus(status.Error(codes.Unavailable, "")): true,
		apperr.New(codes.InvalidArgument, "X", ""):             false, apperr.New(codes.Internal, "X", ""): false,
		errors.New("x"): false,
	} {
		if grpcclient.Unreachable(err) != want {
			t.Errorf("%v: want %t", err, want)
		}
	}
	if grpcclient.Unreachable(nil) {
		t.Error("an answer is no silence")
	}
}

func TestAPeerThatComesLaterOrAgain(t *testing.T) {
	p := &peer{}
	addr, kill := serve(t, p, "127.0.0.1:0")
	kill()
	c := dial(t, addr)
	err := ask(t.Context(), c)
	if !grpcclient.Unreachable(err) || apperr.Of(err) == nil {
		t.Fatalf("nobody there: %v", err)
	}
	for round := range 2 {
		_, kill := serve(t, p, addr)
		deadline := time.Now().Add(5 * time.Second)
		for ask(t.Context(), c) != nil {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: not found again", round)
			}
			time.Sleep(10 * time.Millisecond)
		}
		kill()
	}
}

func TestReplicasShareTheCallsAndStandInForEachOther(t *testing.T) {
	one, two := &peer{}, &peer{}
	addr1, kill := serve(t, one, "127.0.0.1:0")
	addr2, _ := serve(t, two, "127.0.0.1:0")
	c := dial(t, addr1+", "+addr2)
	deadline := time.Now().Add(5 * time.Second)
	for one.calls.Load() == 0 || two.calls.Load() == 0 {
		if err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("asked %d and %d times", one.calls.Load(), two.calls.Load())
		}
	}
	kill()
	answered := 0
	for deadline := time.Now().Add(5 * time.Second); answered < 20; { // the connection's end may be noticed by a call
		if err := ask(t.Context(), c); err == nil {
			answered++
		} else if time.Now().After(deadline) {
			t.Fatalf("answered %d times after one died: %v", answered, err)
		}
	}
}

// Watch is how a client hears whether a replica can work.
func (p *peer) Watch(_ *healthv1.HealthCheckRequest, stream healthv1.Health_WatchServer) error {
	if p.says.Load() == 0 {
		return status.Error(codes.Unimplemented, "")
	}
	for said := int32(0); stream.Context().Err() == nil; time.Sleep(time.Millisecond) {
		if says := p.says.Load(); says != said {
			said = says
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_ServingStatus(says)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// asksBoth asks until both replicas were asked.
func asksBoth(t *testing.T, c healthv1.HealthClient, one, two *peer) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for from1, from2 := one.calls.Load(), two.calls.Load(); one.calls.Load() == from1 || two.calls.Load() == from2; {
		if err := ask(t.Context(), c); err != nil && !grpcclient.Unreachable(err) {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("asked %d and %d times", one.calls.Load(), two.calls.Load())
		}
	}
}

// A replica that is stopped keeps the calls that it has, and gets no more. It is one of
// four: all of ten lots can fall on it, for one call in a thousand when it is one of two.
func TestAReplicaThatHangsIsAvoided(t *testing.T) {
	one, two := &peer{}, &peer{}
	addr1, _ := serve(t, one, "127.0.0.1:0")
	addr2, _ := serve(t, two, "127.0.0.1:0")
	addr3, _ := serve(t, &peer{}, "127.0.0.1:0")
	addr4, _ := serve(t, &peer{}, "127.0.0.1:0")
	c := dial(t, strings.Join([]string{addr1, addr2, addr3, addr4}, ","))
	asksBoth(t, c, one, two)
	stopped := make(chan struct{})
	one.hold.Store(&stopped)
	before := one.calls.Load()
	held := make(chan error, 1)
	go func() { // until one of them hangs with it
		for one.calls.Load() == before {
			if err := ask(t.Context(), c); err != nil {
				held <- err
				return
			}
		}
		held <- nil
	}()
	for deadline := time.Now().Add(20 * time.Second); one.calls.Load() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is asked nothing")
		}
	}
	for range 50 {
		if err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if n := one.calls.Load() - before; n != 1 {
		t.Errorf("the one that hangs got %d calls", n)
	}
	close(stopped)
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// A replica that says that it cannot work is not asked, and is when it can again.
func TestAReplicaThatCannotWorkIsNotAsked(t *testing.T) {
	one, two := &peer{}, &peer{}
	one.says.Store(int32(healthv1.HealthCheckResponse_SERVING))
	two.says.Store(int32(healthv1.HealthCheckResponse_SERVING))
	addr1, _ := serve(t, one, "127.0.0.1:0")
	addr2, _ := serve(t, two, "127.0.0.1:0")
	c := dial(t, addr1+","+addr2)
	asksBoth(t, c, one, two)
	one.says.Store(int32(healthv1.HealthCheckResponse_NOT_SERVING))
	for deadline, row := time.Now().Add(20*time.Second), 0; row < 50; {
		before := one.calls.Load()
		if err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if row++; one.calls.Load() != before {
			row = 0
		}
		if time.Now().After(deadline) {
			t.Fatal("it is still asked")
		}
	}
	one.says.Store(int32(healthv1.HealthCheckResponse_SERVING))
	asksBoth(t, c, one, two)
}

// Every address of a name is a replica.
func TestANameOfSeveralReplicas(t *testing.T) {
	p := &peer{}
	addr, _ := serve(t, p, "127.0.0.1:0")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(t.Context(), dial(t, "dns:///localhost:"+port)); err != nil || p.calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, p.calls.Load())
	}
}
