package grpcserver_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcserver"
)

func TestAMessageIsBounded(t *testing.T) {
	called := false
	r := start(t, open, service(func(context.Context) error { called = true; return nil }, "Ask"))
	conn := r.dial(t, "friend")
	if err := asked(t, t.Context(), conn, asking(strings.Repeat("x", grpcserver.MaxMessageBytes-1000))); err != nil || !called {
		t.Errorf("a large one: %v", err)
	}
	called = false
	if err := asked(t, t.Context(), conn, asking(strings.Repeat("x", grpcserver.MaxMessageBytes+1))); apperr.CodeOf(err) != codes.ResourceExhausted || called {
		t.Errorf("one too large: %v, called %t", err, called)
	}
}

// Of one connection at most so many calls are in hand; the others wait.
func TestCallsOfOneConnectionAreBounded(t *testing.T) {
	const most, sent = 1000, 1100
	var mu sync.Mutex
	inHand, highest := 0, 0
	full, release := make(chan struct{}), make(chan struct{})
	isFull := sync.OnceFunc(func() { close(full) }) // it is full again while the first go and the last come
	r := start(t, open, service(func(context.Context) error {
		mu.Lock()
		inHand++
		highest = max(highest, inHand)
		if inHand == most {
			isFull()
		}
		mu.Unlock()
		<-release
		mu.Lock()
		inHand--
		mu.Unlock()
		return nil
	}, "Ask"))
	conn, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all sync.WaitGroup
	for range sent {
		all.Go(func() {
			ctx := metadata.AppendToOutgoingContext(t.Context(), access.CallerKey, "friend")
			if err := conn.Invoke(ctx, ask, asking("abc"), &emptypb.Empty{}); err != nil {
				t.Error(err)
			}
		})
	}
	select {
	case <-full:
	case <-time.After(25 * time.Second):
		t.Error("the calls do not come in")
	}
	close(release)
	all.Wait()
	if highest != most {
		t.Errorf("%d were in hand at once", highest)
	}
}

// Who pings without end is sent away.
func TestPingsAreBounded(t *testing.T) {
	r := start(t, open, service(func(context.Context) error { return nil }, "Ask"))
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	wire := http2.NewFramer(conn, conn)
	if err := wire.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := wire.WritePing(false, [8]byte{byte(i)}); err != nil {
			break // sent away already
		}
	}
	for {
		frame, err := wire.ReadFrame()
		if err != nil {
			t.Fatalf("the connection ended without a word, or goes on: %v", err)
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			if away.ErrCode != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("sent away with %s", away.ErrCode)
			}
			return
		}
	}
}
