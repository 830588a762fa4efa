package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// links are the network between the services: a proxy between each process and
// each replica that it may call.
type links struct {
	server *toxiproxy.ApiServer

	mu  sync.Mutex
	all []*link
}

// link is the way from one process to another.
type link struct {
	from, to string
	proxy    *toxiproxy.Proxy
	toxics   []string
}

func newLinks() *links {
	return &links{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())}
}

// join makes a link and says where it begins.
func (n *links) join(from, to, addr string) (string, error) {
	l := &link{from: from, to: to, proxy: toxiproxy.NewProxy(n.server, from+" to "+to, "127.0.0.1:0", addr)}
	if err := l.proxy.Start(); err != nil {
		return "", fmt.Errorf("the link %s to %s: %w", from, to, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, l)
	return l.proxy.Listen, nil
}

// toxic is what a kind of fault does to the bytes of a direction.
type toxic struct {
	Type       string           `json:"type"`
	Stream     string           `json:"stream"` // upstream is towards who is called
	Attributes map[string]int64 `json:"attributes"`
}

// toxics of each kind. A timeout of 0 swallows everything and closes nothing.
var toxics = map[kind][]toxic{
	latency: {
		{"latency", "upstream", map[string]int64{"latency": 200, "jitter": 150}},
		{"latency", "downstream", map[string]int64{"latency": 200, "jitter": 150}},
	},
	reset:    {{"reset_peer", "upstream", nil}, {"reset_peer", "downstream", nil}},
	halfOpen: {{"timeout", "downstream", map[string]int64{"timeout": 0}}},
	partition: {
		{"timeout", "upstream", map[string]int64{"timeout": 0}},
		{"timeout", "downstream", map[string]int64{"timeout": 0}},
	},
}

// of are the links that a fault of this kind strikes: those to the process, and
// those from it, too, when it is cut off.
func (n *links) of(k kind, process string) (struck []*link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.all {
		if l.to == process || k == partition && l.from == process {
			struck = append(struck, l)
		}
	}
	return struck
}

// spoil begins a fault on links, mend ends it.
func spoil(struck []*link, k kind) error {
	for _, l := range struck {
		for _, t := range toxics[k] {
			order, err := json.Marshal(t)
			if err != nil {
				return err
			}
			added, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(string(order)))
			if err != nil {
				return fmt.Errorf("%s on %s: %w", k, l.proxy.Name, err)
			}
			l.toxics = append(l.toxics, added.Name)
		}
	}
	return nil
}

func mend(struck []*link) error {
	var errs []error
	for _, l := range struck {
		for _, name := range l.toxics {
			errs = append(errs, l.proxy.Toxics.RemoveToxic(context.Background(), name))
		}
		l.toxics = nil
	}
	return errors.Join(errs...)
}

func (n *links) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.all {
		l.proxy.Stop()
	}
}
