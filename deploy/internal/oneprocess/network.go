package oneprocess

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc/test/bufconn"

	"makegood.example/services/platform/grpcclient"
)

// network connects the services in memory.
type network struct {
	mu        sync.Mutex
	listeners map[string]*bufconn.Listener // by address
	links     map[*link]bool
	dialed    map[string]map[string]bool // by address, who ever did
	broken    *breakage                  // ordered; nil for none
}

// breakage is a connection that is to be lost.
type breakage struct {
	passes int  // messages that pass first
	after  bool // the message arrives, and its answer does not
	struck func()
}

func newNetwork() *network {
	return &network{listeners: map[string]*bufconn.Listener{}, links: map[*link]bool{}, dialed: map[string]map[string]bool{}}
}

func (n *network) open(addr string) net.Listener {
	l := bufconn.Listen(1 << 20)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[addr] = l
	return l
}

// dialer connects a service to others, for as long as it lives; nil is for ever.
func (n *network) dialer(from string, i *instance) grpcclient.Dialer {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		n.mu.Lock()
		l := n.listeners[addr]
		n.mu.Unlock()
		if l == nil || i != nil && i.dead.Load() {
			return nil, fmt.Errorf("nobody listens on %s", addr)
		}
		conn, err := l.DialContext(ctx)
		if err != nil {
			return nil, err
		}
		k := &link{Conn: conn, network: n, from: from, to: addr}
		n.mu.Lock()
		n.links[k] = true
		if n.dialed[addr] == nil {
			n.dialed[addr] = map[string]bool{}
		}
		n.dialed[addr][from] = true
		n.mu.Unlock()
		if i != nil && i.dead.Load() { // meanwhile
			k.Close()
			return nil, fmt.Errorf("%s is dead", from)
		}
		return k, nil
	}
}

// sever takes a service off the network.
func (n *network) sever(name, addr string) {
	n.mu.Lock()
	if l := n.listeners[addr]; l != nil {
		l.Close()
		delete(n.listeners, addr)
	}
	var ending []*link
	for k := range n.links {
		if k.from == name || k.to == addr {
			ending = append(ending, k)
		}
	}
	n.mu.Unlock()
	for _, k := range ending {
		k.Close()
	}
}

// foundAgain says whether all who spoke to an address, and are alive, do so again.
func (n *network) foundAgain(addr string, alive func(string) bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	speaks := map[string]bool{}
	for k := range n.links {
		if k.to == addr {
			speaks[k.from] = true
		}
	}
	for from := range n.dialed[addr] {
		if alive(from) && !speaks[from] {
			return false
		}
	}
	return true
}

// breakAfter orders the loss of a connection, in place of what was ordered before.
func (n *network) breakAfter(b *breakage) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = b
}

// passes says whether the next message gets through; otherwise how it is lost.
func (n *network) passes() *breakage {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.broken
	if b == nil {
		return nil
	}
	if b.passes--; b.passes >= 0 {
		return nil
	}
	n.broken = nil
	return b
}

// link is one connection, as its caller holds it.
type link struct {
	net.Conn
	network  *network
	from, to string
}

var errLost = errors.New("the connection is lost")

// Write sends what a caller says, or loses it.
func (k *link) Write(p []byte) (int, error) {
	b := k.network.passes()
	if b == nil {
		return k.Conn.Write(p)
	}
	var sent int
	if b.after {
		sent, _ = k.Conn.Write(p)
	}
	k.Close()
	b.struck()
	if sent == len(p) {
		return sent, nil
	}
	return sent, errLost
}

// Close ends it for both sides.
func (k *link) Close() error {
	k.network.mu.Lock()
	delete(k.network.links, k)
	k.network.mu.Unlock()
	return k.Conn.Close()
}
