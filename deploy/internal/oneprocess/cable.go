package oneprocess

import (
	"context"
	"io"
	"net"
	"sync"
)

// cable carries what a service says to a server of TCP, and can be cut: what was
// said has arrived, and nothing more does.
type cable struct {
	listener net.Listener
	target   string
	refuses  func() bool // asked for each new connection; nil refuses none

	mu   sync.Mutex
	cut  bool
	open map[net.Conn]bool
}

func newCable(target string, refuses func() bool) (*cable, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cable{listener: l, target: target, refuses: refuses, open: map[net.Conn]bool{}}
	go c.accept()
	return c, nil
}

func (c *cable) addr() string { return c.listener.Addr().String() }

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		go c.carry(near)
	}
}

func (c *cable) carry(near net.Conn) {
	defer near.Close()
	if c.refuses != nil && c.refuses() {
		return
	}
	far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", c.target) // on this machine; it answers at once
	if err != nil {
		return
	}
	defer far.Close()
	if !c.hold(near, far) {
		return
	}
	defer c.release(near, far)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			// Either end ends both: nobody here speaks to a half-open connection.
			near.Close()
			far.Close()
		})
	}
	both.Wait()
}

func (c *cable) hold(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.open[conn] = true
	}
	return !c.cut
}

func (c *cable) release(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		delete(c.open, conn)
	}
}

// sever ends everything on it, now.
func (c *cable) sever() {
	c.listener.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for conn := range c.open {
		conn.Close()
	}
}
