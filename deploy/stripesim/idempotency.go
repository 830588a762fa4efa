package stripesim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"
)

// storedReply is the first result under an idempotency key; its id is the key.
type storedReply struct {
	Header
	RequestID   string `json:"request_id"`
	Fingerprint string `json:"fingerprint"`
	Status      int    `json:"status"`
	Body        []byte `json:"body"`
}

// keyLifetime is how long Stripe keeps a result.
const keyLifetime = 24 * time.Hour

func (k *storedReply) expired(now time.Time) bool {
	return now.Unix()-k.Created >= int64(keyLifetime/time.Second)
}

// fingerprint identifies what was asked, so that a key can be refused to
// another request.
func fingerprint(r *http.Request, form url.Values) string {
	sum := sha256.Sum256([]byte(r.Method + " " + r.URL.Path + "\n" + form.Encode()))
	return hex.EncodeToString(sum[:])
}

// executeOnce answers with the stored result of the key, or executes, commits
// and stores. It is called and returns with the mutex held, which it releases
// while a hang_during fault keeps the execution from starting.
func (s *Server) executeOnce(c *call, print string, execute func() (reply, bool), f *fault) reply {
	key := c.idempotencyKey
	if len(key) > 255 {
		return s.failure(errParam("", "", "The idempotency key may have at most 255 characters."))
	}
	if key != "" {
		if c.w.inFlight[key] {
			return s.failure(&Error{status: http.StatusConflict, Type: typeIdempotency, Code: "idempotency_key_in_use",
				Message: "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): " + key + ". Please try again later."})
		}
		if old, ok := c.w.keys.get(key); ok && !old.expired(c.now) {
			if old.Fingerprint != print {
				return s.failure(&Error{status: http.StatusBadRequest, Type: typeIdempotency,
					Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request."})
			}
			return reply{status: old.Status, body: old.Body, original: old.RequestID}
		}
		inFlight := c.w.inFlight
		inFlight[key] = true
		defer delete(inFlight, key)
	}
	if f.mode() == hangDuring {
		s.mu.Unlock()
		released := f.hold(context.Background(), s.closing) // Stripe goes on without the client
		s.mu.Lock()
		if !released || c.w != s.worlds[c.w.live] { // closed, or reset meanwhile
			panic(http.ErrAbortHandler)
		}
	}
	if s.broken != nil {
		return s.failure(errStatus(http.StatusInternalServerError))
	}
	out, began := execute()
	if began && f.mode() == errorAfter {
		out = s.failure(errStatus(http.StatusInternalServerError))
	}
	if key != "" && began {
		save(c.tx, c.w.keys, &storedReply{Header: Header{ID: key, Object: c.w.keys.kind, Created: c.now.Unix()},
			RequestID: c.requestID, Fingerprint: print, Status: out.status, Body: out.body})
	}
	if err := c.commit(); err != nil {
		s.log.Error("the journal cannot be written", "error", err)
		s.broken = err
		return s.failure(errStatus(http.StatusInternalServerError))
	}
	return out
}
