package oidc

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"makegood.example/services/platform/access"
)

const (
	// keysFreshFor is how long keys are used before they are read anew, so that one
	// that the issuer has withdrawn counts no longer.
	keysFreshFor = time.Hour
	// keysKeptFor is how long they count while the issuer cannot be reached.
	keysKeptFor = 24 * time.Hour
	// askAgainAfter bounds how often the issuer is asked: tokens with made-up key ids
	// cost it no request each.
	askAgainAfter = 5 * time.Second
	askTimeout    = 5 * time.Second
	keysBytesMax  = 1 << 20
)

// keys are the issuer's public keys, as they were last read.
type keys struct {
	ctx    context.Context // of the process
	issuer string
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	known   []jose.JSONWebKey
	readAt  time.Time
	askedAt time.Time
	asking  chan struct{} // closed when the question in hand is answered; nil is none
	err     error         // of the last question
}

// find returns the keys with an id, or all of them for an empty one. Whoever's key
// is known waits for nothing: keys that have become old are read anew beside them.
func (k *keys) find(ctx context.Context, id string) ([]crypto.PublicKey, error) {
	k.mu.Lock()
	now := k.now()
	found := k.match(id, now)
	if len(found) > 0 && now.Sub(k.readAt) < keysFreshFor {
		k.mu.Unlock()
		return found, nil
	}
	if k.asking == nil && (k.askedAt.IsZero() || now.Sub(k.askedAt) >= askAgainAfter) {
		k.asking, k.askedAt = make(chan struct{}), now
		go k.ask()
	}
	asking := k.asking
	k.mu.Unlock()
	if len(found) > 0 {
		return found, nil
	}
	if asking != nil {
		select {
		case <-ctx.Done():
			return nil, ErrIssuerUnreachable
		case <-asking:
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch found := k.match(id, now); {
	case len(found) > 0:
		return found, nil
	case k.err != nil:
		return nil, ErrIssuerUnreachable
	}
	return nil, access.ErrUnknownToken
}

func (k *keys) match(id string, now time.Time) (found []crypto.PublicKey) {
	if now.Sub(k.readAt) >= keysKeptFor {
		return nil
	}
	for _, key := range k.known {
		if id == "" || key.KeyID == id {
			found = append(found, key.Key)
		}
	}
	return found
}

// ask reads the keys once. What it fails to read leaves the old ones.
func (k *keys) ask() {
	known, err := read(k.ctx, k.issuer)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err = err; err == nil {
		k.known, k.readAt = known, k.now()
	} else {
		k.log.Warn("the sign-in's keys cannot be read", "error", err.Error())
	}
	close(k.asking)
	k.asking = nil
}

// read asks the issuer where its keys are, and reads them.
func read(ctx context.Context, issuer string) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	var place struct {
		URL string `json:"jwks_uri"`
	}
	if err := provider.Claims(&place); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place.URL, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keys: %s", response.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, keysBytesMax)).Decode(&set); err != nil {
		return nil, fmt.Errorf("the keys: %w", err)
	}
	var known []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		// A key of a kind that we do not know is no reason to forget the others; one
		// for encryption, or a secret, signs nothing.
		if json.Unmarshal(raw, &key) == nil && key.Use != "enc" && key.IsPublic() {
			known = append(known, key)
		}
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("the issuer has no key that signs")
	}
	return known, nil
}
