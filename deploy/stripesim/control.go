package stripesim

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// controlRoutes are what tests steer the simulator by; they need no key.
func (s *Server) controlRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]bool{"ok": true}) })
	mux.HandleFunc("GET /_sim/state", s.controlState)
	mux.HandleFunc("GET /_sim/requests", s.controlRequests)
	mux.HandleFunc("POST /_sim/reset", s.controlReset)
	mux.HandleFunc("GET /_sim/clock", s.controlClock)
	mux.HandleFunc("POST /_sim/clock", s.controlSetClock)
	mux.HandleFunc("POST /_sim/payment_intents/{id}/authenticate", s.controlAuthenticate)

	mux.HandleFunc("POST /_sim/payment_intents/{id}/settle", s.controlSettle)
	mux.HandleFunc("POST /_sim/checkout/{id}/complete", s.controlComplete)
	mux.HandleFunc("POST /_sim/refunds/{id}/fail", s.controlFailRefund)
	mux.HandleFunc("POST /_sim/refunds/{id}/succeed", s.controlSucceedRefund)
	mux.HandleFunc("POST /_sim/charges/{id}/dispute", s.controlDispute)
	mux.HandleFunc("POST /_sim/charges/{id}/early_fraud_warning", s.controlWarning)
	mux.HandleFunc("POST /_sim/disputes/{id}/close", s.controlCloseDispute)
	mux.HandleFunc("POST /_sim/seed/charges", s.controlSeed)
	mux.HandleFunc("GET /_sim/settings", s.controlSettings)
	mux.HandleFunc("POST /_sim/settings", s.controlSetSettings)

	mux.HandleFunc("GET /_sim/faults", s.controlFaults)
	mux.HandleFunc("POST /_sim/faults", s.controlAddFault)
	mux.HandleFunc("DELETE /_sim/faults", s.controlRemoveFaults)
	mux.HandleFunc("DELETE /_sim/faults/{id}", s.controlRemoveFaults)

	mux.HandleFunc("GET /_sim/webhooks", s.controlWebhooks)
	mux.HandleFunc("POST /_sim/webhooks", s.controlSetWebhooks)
	mux.HandleFunc("POST /_sim/webhooks/deliver", s.controlDeliver)
}

// forLocalPages lets the scripts of pages on this machine, such as the demo
// checkout, use the controls; no page from anywhere else.
func forLocalPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if u, err := url.Parse(origin); err != nil || !strings.HasPrefix(r.URL.Path, "/_sim/") ||
			u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		w.WriteHeader(http.StatusNoContent)
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := indented(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"error": message})
}

// read decodes a control request onto v, which keeps what is not named.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMax))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}

// controlState is the truth that tests compare with: the objects of both modes
// by kind, oldest first; ?livemode=true or false keeps one mode.
func (s *Server) controlState(w http.ResponseWriter, r *http.Request) {
	mode := r.URL.Query().Get("livemode")
	state := map[string][]json.RawMessage{}
	s.mu.Lock()
	for _, live := range []bool{false, true} {
		for _, c := range s.worlds[live].all {
			kind := plural(c.name())
			if state[kind] == nil {
				state[kind] = []json.RawMessage{}
			}
			if mode != "" && (mode == "true") != live {
				continue
			}
			c.each(func(o object) {
				if raw, err := marshal(o); err == nil {
					state[kind] = append(state[kind], raw)
				}
			})
		}
	}
	s.mu.Unlock()
	answer(w, http.StatusOK, state)
}

func plural(kind string) string {
	if kind == "webhook_delivery" {
		return "webhook_deliveries"
	}
	return strings.ReplaceAll(kind, ".", "_") + "s"
}

func (s *Server) controlRequests(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	requests := append([]requestLog{}, s.requests...)
	s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"requests": requests})
}

func (s *Server) controlReset(w http.ResponseWriter, _ *http.Request) {
	s.faults.remove("")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blank()
	if err := s.journal.clear(); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]bool{"ok": true})
}

// controlAuthenticate is the customer at the end of 3-D Secure.
func (s *Server) controlAuthenticate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Outcome string `json:"outcome"`
	}
	if !read(w, r, &in) {
		return
	}
	if in.Outcome != "success" && in.Outcome != "fail" {
		refuse(w, http.StatusBadRequest, "outcome must be success or fail")
		return
	}
	s.change(w, func() (*tx, object, string) {
		mode, pi := s.findIntent(r.PathValue("id"))
		if pi == nil {
			return nil, nil, ""
		}
		if pi.Status != requiresAction {
			return nil, nil, "the payment intent is " + pi.Status
		}
		t := s.newTx(mode)
		t.authenticate(pi, in.Outcome == "success")
		return t, pi, ""
	})
}

func (s *Server) controlFaults(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"faults": s.faults.list()})
}

func (s *Server) controlAddFault(w http.ResponseWriter, r *http.Request) {
	var f fault
	if !read(w, r, &f) {
		return
	}
	if err := s.faults.add(&f); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusOK, map[string]string{"id": f.ID})
}

func (s *Server) controlRemoveFaults(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !s.faults.remove(id) && id != "" {
		refuse(w, http.StatusNotFound, "no such fault")
		return
	}
	answer(w, http.StatusOK, map[string]bool{"ok": true})
}

func (s *Server) controlWebhooks(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	settings := s.hooks
	settings.Endpoints = make([]Endpoint, len(s.hooks.Endpoints))
	for i, e := range s.hooks.Endpoints {
		settings.Endpoints[i].URL = e.URL // the secret stays inside
	}
	deliveries := []Delivery{}
	for _, live := range []bool{false, true} {
		for _, d := range s.worlds[live].deliveries.ordered {
			deliveries = append(deliveries, *d)
		}
	}
	s.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"settings": settings, "deliveries": deliveries})
}

// controlSetWebhooks changes the settings that are named and keeps the others.
func (s *Server) controlSetWebhooks(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	settings := s.hooks
	s.mu.Unlock()
	settings.Endpoints = append([]Endpoint{}, settings.Endpoints...)
	if !read(w, r, &settings) {
		return
	}
	if settings.Duplicate < 0 || settings.DelayMS < 0 || settings.RetryMS < 1 || settings.RetryMaxMS < 1 || settings.DropProbability < 0 || settings.DropProbability > 1 {
		refuse(w, http.StatusBadRequest, "numbers must not be negative, retry_ms and retry_max_ms are at least 1, drop_probability at most 1")
		return
	}
	if !versionPattern.MatchString(settings.APIVersion) {
		refuse(w, http.StatusBadRequest, "api_version must be like 2020-03-02 or 2025-10-29.clover")
		return
	}
	s.mu.Lock()
	s.hooks = settings
	s.mu.Unlock()
	s.wake()
	s.controlWebhooks(w, r)
}

func (s *Server) controlDeliver(w http.ResponseWriter, r *http.Request) {
	var in struct {
		EventID string `json:"event_id"`
	}
	if !read(w, r, &in) {
		return
	}
	deliveries, ok := s.redeliver(in.EventID)
	if !ok {
		refuse(w, http.StatusNotFound, "no such event")
		return
	}
	answer(w, http.StatusOK, map[string]any{"deliveries": deliveries})
}
