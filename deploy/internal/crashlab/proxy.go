package crashlab

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// proxy stands between one service and PostgreSQL. It passes everything on, tells
// what is written, and, where it was told to, breaks it.
type proxy struct {
	service  string
	upstream string
	listener net.Listener
	watcher  watcher
	life     context.Context // until close
	end      context.CancelFunc

	mu     sync.Mutex
	closed bool
	open   map[*conn]bool
	ended  sync.WaitGroup
}

// watcher hears of every write and commit, and says what is to become of it.
type watcher interface {
	// reached is called when a write has been made in a transaction that nobody
	// else sees yet, or when a transaction with writes is about to commit. It may
	// wait. The answer is the fault for this moment, or nil.
	reached(m moment) *fault
	// armed says whether a fault may strike the service at all.
	armed(service string) bool
}

// newProxy listens for a service whose database is at this URL, and says where it
// is to be dialed instead.
func newProxy(service, database string, w watcher) (p *proxy, proxied string, err error) {
	u, err := url.Parse(database)
	if err != nil {
		return nil, "", errors.New("the database URL cannot be read")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	p = &proxy{service: service, upstream: u.Host, listener: l, watcher: w, open: map[*conn]bool{}}
	p.life, p.end = context.WithCancel(context.Background())
	u.Host = l.Addr().String()
	p.ended.Go(p.accept)
	return p, u.String(), nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.ended.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	var dialer net.Dialer
	server, err := dialer.DialContext(p.life, "tcp", p.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	c := &conn{proxy: p, client: client, server: server, prepared: map[string]string{}, portals: map[string]bound{}, done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.open[c] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.open, c)
		p.mu.Unlock()
	}()
	reader := bufio.NewReader(client)
	if goesOn, err := c.begin(reader); err != nil || !goesOn {
		return
	}
	c.fromClient, c.fromServer = c.frames(reader), c.frames(bufio.NewReader(server))
	c.run()
	close(c.done)
}

// close ends all connections and waits until they have ended.
func (p *proxy) close() {
	p.cutAll()
	p.ended.Wait()
}

// cutAll ends all connections.
func (p *proxy) cutAll() {
	p.end()
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.open {
		c.cut()
	}
}

// The requests that may come before a session, by the protocol.
const (
	sslRequest    = 80877103
	gssRequest    = 80877104
	cancelRequest = 80877102
)

// begin passes the first message on. A request to cancel is the only one on its
// connection.
func (c *conn) begin(client *bufio.Reader) (goesOn bool, err error) {
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(client, head); err != nil {
			return false, err
		}
		n, code := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
		if n < 8 || n > 10000 {
			return false, errors.New("no start of a session")
		}
		if code == sslRequest || code == gssRequest {
			if _, err := c.client.Write([]byte{'N'}); err != nil {
				return false, err
			}
			continue
		}
		rest := make([]byte, n-8)
		if _, err := io.ReadFull(client, rest); err != nil {
			return false, err
		}
		if _, err := c.server.Write(append(head, rest...)); err != nil {
			return false, err
		}
		if code == cancelRequest {
			_, _ = io.Copy(io.Discard, c.server) // the server closes when it has it
			return false, nil
		}
		return true, nil
	}
}

// framesAhead is how many messages are read before they are asked for: a goroutine
// that waits for each costs more than the message.
const framesAhead = 64

// frames reads messages until the connection ends.
func (c *conn) frames(r *bufio.Reader) <-chan frame {
	found := make(chan frame, framesAhead)
	go func() {
		defer close(found)
		for {
			f, err := readFrame(r)
			if err != nil {
				return
			}
			select {
			case found <- f:
			case <-c.done:
				return
			}
		}
	}()
	return found
}

// bound is a statement with its values, ready to be executed.
type bound struct {
	sql    string
	values [][]byte
}

// executed lists what a round executes, and keeps what it prepares for later ones.
func (c *conn) executed(round []frame) (all []bound) {
	for _, f := range round {
		switch f.kind() {
		case queryKind:
			var q pgproto3.Query
			if q.Decode(f.body()) == nil {
				all = append(all, bound{sql: q.String})
			}
		case parseKind:
			var p pgproto3.Parse
			if p.Decode(f.body()) == nil {
				c.prepared[p.Name] = p.Query
			}
		case bindKind:
			var b pgproto3.Bind
			if b.Decode(f.body()) == nil {
				c.portals[b.DestinationPortal] = bound{c.prepared[b.PreparedStatement], b.Parameters}
			}
		case executeKind:
			var e pgproto3.Execute
			if e.Decode(f.body()) == nil {
				all = append(all, c.portals[e.Portal])
			}
		}
	}
	return all
}
