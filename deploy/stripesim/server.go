package stripesim

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// APIVersion is the only version that the simulator renders.
const APIVersion = "2023-10-16"

// Endpoint is a webhook endpoint of the simulated account; both modes use it.
type Endpoint struct {
	URL    string `json:"url"`
	Secret string `json:"secret,omitempty"` // whsec_…, signs the deliveries
}

// Config says how a simulator runs. The zero value is a simulator in memory
// without webhooks.
type Config struct {
	// Clock dates objects, after what the clock control added, and signatures,
	// to which it adds nothing: whoever checks them lives in the present.
	// time.Now by default. Delays and retries of webhooks always use real time.
	Clock func() time.Time
	// JournalPath is the file that keeps the state; empty keeps it in memory.
	JournalPath string
	Endpoints   []Endpoint
	// RetryBase is the wait before the first retry of a webhook, doubling
	// afterwards up to a minute; one second by default.
	RetryBase time.Duration
	Logger    *slog.Logger // silent by default
}

// Server is one simulated Stripe account in both its modes.
type Server struct {
	cfg     Config
	log     *slog.Logger
	handler http.Handler
	faults  *faultTable
	client  *http.Client // sends webhooks
	offset  atomic.Int64 // nanoseconds that the clock control added

	mu       sync.Mutex // guards everything below
	worlds   map[bool]*world
	journal  *journal
	hooks    webhookSettings
	settings settings
	sending  map[string]bool // deliveries whose attempt is under way
	pending  map[string]*pendingDelivery
	requests []requestLog
	host     string // as the last request addressed us: where our pages are
	broken   error  // the journal could not be written: nothing is accepted any more

	wakeup  chan struct{}
	closing chan struct{}
	closed  sync.Once
	workers sync.WaitGroup
}

// New restores the journal and starts the webhook sender. It fails when the
// journal cannot be read or written.
func New(cfg Config) (*Server, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.RetryBase == 0 {
		cfg.RetryBase = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg:     cfg,
		log:     cfg.Logger,
		faults:  newFaultTable(),
		client:  &http.Client{Timeout: deliveryTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: maxSending}},
		wakeup:  make(chan struct{}, 1),
		closing: make(chan struct{}),
	}
	s.blank()
	j, err := openJournal(cfg.JournalPath, s.restore, s.snapshot)
	if err != nil {
		return nil, err
	}
	s.journal = j
	s.resumeClock()
	s.resumeDeliveries()
	s.handler = s.routes()
	s.workers.Go(s.sendWebhooks)
	s.workers.Go(s.watchTimers)
	return s, nil
}

// Handler serves both the API (/v1/) and the controls (/_sim/).
func (s *Server) Handler() http.Handler { return s.handler }

// Close drops the requests that are held, ends the webhook sender and closes
// the journal.
func (s *Server) Close() error {
	var err error
	s.closed.Do(func() {
		close(s.closing)
		s.workers.Wait()
		s.client.CloseIdleConnections()
		s.mu.Lock()
		defer s.mu.Unlock()
		err = s.journal.close()
		s.broken = errors.New("the simulator is closed")
	})
	return err
}

// blank is the state of a new account.
func (s *Server) blank() {
	s.worlds = map[bool]*world{false: newWorld(false, s.now), true: newWorld(true, s.now)}
	s.hooks = webhookSettings{Endpoints: s.cfg.Endpoints, RetryMS: s.cfg.RetryBase.Milliseconds(), RetryMaxMS: retryWaitMax.Milliseconds(), APIVersion: APIVersion}
	s.sending = map[string]bool{}
	s.pending = map[string]*pendingDelivery{}
	s.requests = nil
	s.settings = defaultSettings()
	s.offset.Store(0)
}

func (s *Server) restore(l journalLine) error {
	w := s.worlds[l.Live]
	for _, r := range l.Records {
		c, ok := w.collection(r.Kind)
		if !ok {
			return errors.New("unknown kind " + r.Kind)
		}
		if err := c.restore(r.ID, r.Value); err != nil {
			return err
		}
		if sown, ok := w.seeds.get(r.ID); ok && r.Kind == w.seeds.kind {
			w.sow(sown)
		}
	}
	return nil
}

// snapshot writes every object once, oldest first; expired idempotency keys are
// left behind, and what a seed makes again.
func (s *Server) snapshot(write func(journalLine) error) error {
	for live, w := range s.worlds {
		var failed error
		for _, c := range w.all {
			c.each(func(o object) {
				if k, ok := o.(*storedReply); ok && k.expired(s.now()) || o.header().seeded || failed != nil {
					return
				}
				raw, err := record(o)
				if err == nil {
					err = write(journalLine{Live: live, Records: []journalRecord{{Kind: c.name(), ID: o.header().ID, Value: raw}}})
				}
				failed = err
			})
		}
		if failed != nil {
			return failed
		}
	}
	return nil
}

func (s *Server) newTx(w *world) *tx {
	return &tx{s: s, w: w, now: s.now()}
}
