package edge

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// listening runs a listener with limits for a test and returns its address.
func listening(t *testing.T, at limits, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, "test", listener, handler, slog.New(slog.DiscardHandler), at) }()
	t.Cleanup(func() { stop(); <-ended })
	return listener.Addr().String()
}

func connect(t *testing.T, addr, says string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, says); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// heard is all that comes until the server ends the connection.
func heard(t *testing.T, conn net.Conn) string {
	t.Helper()
	all, err := io.ReadAll(conn)
	if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
		t.Fatal("the connection is not ended")
	}
	return string(all)
}

const soon = 50 * time.Millisecond

func TestWhoSendsOrTakesSlowlyIsGivenUp(t *testing.T) {
	never := limits{header: time.Hour, read: time.Hour, write: time.Hour, idle: time.Hour, drain: time.Millisecond}
	reads := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	t.Run("slow headers", func(t *testing.T) {
		at := never
		at.header = soon
		heard(t, connect(t, listening(t, at, reads), "GET / HTTP/1.1\r\nHost: x\r\n"))
	})
	t.Run("a slow body", func(t *testing.T) {
		at := never
		at.read = soon
		got := heard(t, connect(t, listening(t, at, reads), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nslow"))
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("heard %q", got)
		}
	})
	t.Run("an idle connection", func(t *testing.T) {
		at := never
		at.idle = soon
		if got := heard(t, connect(t, listening(t, at, reads), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("heard %q", got)
		}
	})
	t.Run("a slow reader", func(t *testing.T) {
		at := never
		at.write = soon
		over := make(chan error, 1)
		writes := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var err error
			for err == nil { // until the buffers between us are full
				_, err = w.Write(make([]byte, 1<<20))
			}
			over <- err
		})
		connect(t, listening(t, at, writes), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		select {
		case <-over:
		case <-time.After(30 * time.Second):
			t.Error("written to for ever")
		}
	})
	if u := usualLimits; u.header <= 0 || u.read < u.header || u.write <= RESTTimeout || u.idle <= 0 || u.drain >= 10*time.Second {
		t.Errorf("the usual limits are %+v", u)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	reached := false
	addr := listening(t, usualLimits, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	conn := connect(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nX-Much: "+strings.Repeat("x", 2*maxHeader)+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge || reached {
		t.Fatalf("%v, %v, reached %t", resp, err, reached)
	}
	_ = resp.Body.Close()
}

// Who is told to stop says so first, and takes what still comes meanwhile.
func TestReadinessSaysNoBeforeTheListenerCloses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(readyPath, Ready(Peers{Orders: nobody{}, Payments: nobody{}, Provisioning: nobody{}, Notifications: nobody{}, Reconciliation: nobody{}}, slog.New(slog.DiscardHandler)))
	mux.HandleFunc("/v1/orders", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "taken") })
	at := usualLimits
	at.linger = time.Hour // until the listener is closed, below
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, "test", listener, mux, slog.New(slog.DiscardHandler), at) }()
	get := func(path string) string {
		res, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return string(body)
	}
	if said := get(readyPath); strings.Contains(said, "draining") {
		t.Errorf("before: %s", said)
	}
	stop()
	if said := get(readyPath); !strings.Contains(said, `"draining":true`) {
		t.Errorf("told to stop: %s", said)
	}
	if said := get("/v1/orders"); said != "taken" {
		t.Errorf("a request meanwhile: %s", said)
	}
	_ = listener.Close()
	<-ended
}

// nobody is a peer that does not answer.
type nobody struct{}

func (nobody) Invoke(context.Context, string, any, any, ...grpc.CallOption) error {
	return context.DeadlineExceeded
}

func (nobody) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, context.DeadlineExceeded
}
