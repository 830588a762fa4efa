package stripesim

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// reply is what goes back to the client.
type reply struct {
	status   int
	body     []byte
	original string // request id of the execution that a replay repeats
}

const bodyMax = 1 << 20

// serveAPI takes a request past the transport faults, which stand for the
// network and for Stripe's front, to its execution.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, rt route) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		http.Error(w, "unreadable body", http.StatusBadRequest)
		return
	}
	requestID := newID("req_", 14)
	entry := requestLog{ID: requestID, Method: r.Method, Path: r.URL.Path, IdempotencyKey: r.Header.Get("Idempotency-Key"), At: s.now()}
	f := s.faults.take(r.Context(), r.Method, r.URL)
	if f != nil {
		entry.Fault = f.ID
	}
	defer func() { s.logRequest(entry) }()

	var out reply
	switch f.mode() {
	case errorBefore:
		out = s.failure(errStatus(f.Status))
	case resetBefore:
		reset(w)
	case hangBefore:
		if !f.hold(r.Context(), s.closing) {
			panic(http.ErrAbortHandler) // it never reached Stripe
		}
		out = s.handle(r, body, rt, requestID, f)
	default:
		out = s.handle(r, body, rt, requestID, f)
	}
	entry.Status = out.status
	switch f.mode() {
	case resetAfter:
		reset(w)
	case hangAfter:
		if !f.hold(r.Context(), s.closing) {
			panic(http.ErrAbortHandler)
		}
	}
	if f.mode() == truncated {
		out.body = f.cut(out.body)
	}
	h := w.Header()
	allowBrowsers(h)
	h.Set("Content-Type", "application/json")
	h.Set("Request-Id", requestID)
	h.Set("Stripe-Version", APIVersion)
	if entry.IdempotencyKey != "" {
		h.Set("Idempotency-Key", entry.IdempotencyKey)
	}
	if out.original != "" {
		h.Set("Idempotent-Replayed", "true")
		h.Set("Original-Request", out.original)
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body)
}

// reset ends the connection without an answer, by RST where TCP allows.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if t, ok := conn.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// handle authenticates and reads a request, and executes it once per
// idempotency key.
func (s *Server) handle(r *http.Request, body []byte, rt route, requestID string, f *fault) reply {
	if v := r.Header.Get("Stripe-Version"); v != "" && v != APIVersion {
		return s.failure(errParam("", "", "Invalid Stripe API version: %s. The simulator renders only %s.", v, APIVersion))
	}
	form := r.URL.Query()
	posted, err := url.ParseQuery(string(body))
	if err != nil {
		return s.failure(errParam("", "", "Invalid request: the body is not form-encoded."))
	}
	for k, v := range posted {
		form[k] = append(form[k], v...)
	}
	who, refused := authenticate(r, form)
	if refused == nil {
		refused = who.mayCall(rt)
	}
	if refused != nil {
		return s.failure(refused)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(s.now())
	c := &call{tx: s.newTx(s.worlds[who.live]), r: r, params: parseParams(form), publishable: who.publishable}
	s.host = r.Host
	if c.publishable {
		c.params.ignore(browserParams...)
	}
	c.requestID = requestID
	if r.Method == http.MethodPost {
		c.idempotencyKey = r.Header.Get("Idempotency-Key")
	}
	return s.executeOnce(c, fingerprint(r, form), func() (reply, bool) { return s.execute(c, rt) }, f)
}

// execute runs the handler and renders its answer; began is false when the
// request was refused before it could change anything.
func (s *Server) execute(c *call, rt route) (out reply, began bool) {
	paths := c.params.texts("expand")
	result, failed := any(nil), checkExpand(rt.answers, paths)
	if failed == nil {
		result, failed = rt.handle(c)
	}
	if failed != nil {
		failed.RequestLogURL = "https://dashboard.stripe.com/logs/" + c.requestID
		return s.failureShown(failed.status, c.shownError(failed)), !failed.unstored
	}
	result, err := expand(c.w, result, paths)
	if err == nil && c.publishable {
		result, err = shown(result)
	}
	if err == nil {
		var body []byte
		if body, err = indented(result); err == nil {
			return reply{status: http.StatusOK, body: body}, true
		}
	}
	s.log.Error("rendering failed", "error", err)
	return s.failure(errStatus(http.StatusInternalServerError)), true
}

func (s *Server) failure(e *Error) reply { return s.failureShown(e.status, e) }

func (s *Server) failureShown(status int, e any) reply {
	body, err := indented(map[string]any{"error": e})
	if err != nil {
		s.log.Error("rendering failed", "error", err)
	}
	return reply{status: status, body: body}
}

// caller is whom a key stands for.
type caller struct{ live, publishable bool }

// authenticate reads the key, which also chooses the mode. Browsers may send it
// as a parameter.
func authenticate(r *http.Request, form url.Values) (who caller, refused *Error) {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		key, _, _ = r.BasicAuth()
	}
	if posted := form.Get("key"); key == "" && strings.HasPrefix(posted, "pk_") {
		key = posted
	}
	for prefix, who := range keyPrefixes {
		if strings.HasPrefix(key, prefix) && len(key) > len(prefix) {
			return who, nil
		}
	}
	msg := "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
	if key != "" {
		msg = "Invalid API Key provided: " + key[:min(4, len(key))] + strings.Repeat("*", 8)
	}
	return caller{}, &Error{status: http.StatusUnauthorized, Type: typeInvalidRequest, Message: msg, unstored: true}
}

// missing says that an object is not there, and whether the other mode has it.
func (c *call) missing(status int, kind, id, param string) *Error {
	for _, col := range c.s.worlds[!c.w.live].all {
		if _, ok := col.find(id); ok {
			other := "live"
			if c.w.live {
				other = "test"
			}
			return errMissing(status, kind, id, param, other)
		}
	}
	return errMissing(status, kind, id, param, "")
}

// requestLog is one API request as the controls show it.
type requestLog struct {
	ID             string    `json:"id"`
	At             time.Time `json:"at"`
	Method         string    `json:"method"`
	Path           string    `json:"path"`
	IdempotencyKey string    `json:"idempotency_key,omitempty"`
	Fault          string    `json:"fault,omitempty"`
	Status         int       `json:"status"` // 0: never executed, no answer
}

const requestLogMax = 1000

func (s *Server) logRequest(e requestLog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == requestLogMax {
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, e)
	s.log.Debug("request", "id", e.ID, "method", e.Method, "path", e.Path, "status", e.Status, "fault", e.Fault)
}
