package pagebench

import (
	"context"
	"io"
	"net"
	"net/url"
	"testing"
	"time"
)

// farAway answers with the same database behind a round trip that takes longer:
// what is sent to it is kept back for a while, in order, without making less of it
// pass.
func farAway(tb testing.TB, database string, delay time.Duration) string {
	tb.Helper()
	u, err := url.Parse(database)
	if err != nil {
		tb.Fatal(err)
	}
	addr, err := delayed(tb.Context(), u.Host, delay)
	if err != nil {
		tb.Fatal(err)
	}
	u.Host = addr
	return u.String()
}

// delayed listens on a free port and passes what comes on to an address, each piece
// as much later; what comes back at once. It ends with ctx.
func delayed(ctx context.Context, to string, delay time.Duration) (addr string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			go func() {
				defer func() { _, _ = near.Close(), far.Close() }()
				_, _ = io.Copy(near, far)
			}()
			go later(ctx, far, near, delay)
		}
	}()
	return listener.Addr().String(), nil
}

// piece is what was read at once, and when it may go on.
type piece struct {
	data []byte
	due  time.Time
}

func later(ctx context.Context, to, from net.Conn, delay time.Duration) {
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				select {
				case pieces <- piece{buffer[:n], time.Now().Add(delay)}:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	defer func() { _, _ = to.Close(), from.Close() }()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			return
		}
	}
}
