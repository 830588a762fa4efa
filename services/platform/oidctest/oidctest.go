// Package oidctest is an OpenID Connect issuer for tests: a real HTTP server with
// real keys, whose tokens are right unless the test makes them wrong.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Audience is whom the tokens are for unless the test says otherwise.
const Audience = "makegood"

// Issuer is an issuer. It serves nothing until Start.
type Issuer struct {
	// URL is its name.
	URL string

	t        testing.TB
	listener net.Listener
	now      func() time.Time

	mu     sync.Mutex
	signer jose.SigningKey
	kid    string
	public []jose.JSONWebKey
	asked  int
}

// New makes an issuer with an RSA key on a port that answers nobody yet.
func New(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	i := &Issuer{URL: "http://" + l.Addr().String(), t: t, listener: l, now: now}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.use("rsa-1", jose.RS256, key, key.Public())
	return i
}

// Start serves; it ends with the test, or by stop.
func (i *Issuer) Start() (stop func()) {
	server := &httptest.Server{Listener: i.listener, Config: &http.Server{Handler: http.HandlerFunc(i.serve), ReadHeaderTimeout: time.Minute}}
	server.Start()
	stop = sync.OnceFunc(server.Close)
	i.t.Cleanup(stop)
	return stop
}

// Rotate signs with a new EC key from now on, and withdraws the old one.
func (i *Issuer) Rotate(kid string) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.use(kid, jose.ES256, key, key.Public())
}

func (i *Issuer) use(kid string, algorithm jose.SignatureAlgorithm, private any, public crypto.PublicKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kid, i.signer = kid, jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: private, KeyID: kid}}
	i.public = []jose.JSONWebKey{{Key: public, KeyID: kid, Algorithm: string(algorithm), Use: "sig"}}
}

// Asked is how often the keys were read.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// PublicKey is the key that is served.
func (i *Issuer) PublicKey() (crypto.PublicKey, string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.public[0].Key, i.kid
}

// Claims are those of a good token of Sam's for five minutes, with changes; a nil
// takes one away.
func (i *Issuer) Claims(changes map[string]any) map[string]any {
	now := i.now()
	c := map[string]any{
		"iss": i.URL, "aud": Audience, "sub": "user-1", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"email": "sam@example.com", "email_verified": true, "roles": []string{"support"},
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token signs a token with the key of the day.
func (i *Issuer) Token(changes map[string]any) string {
	i.t.Helper()
	i.mu.Lock()
	signer := i.signer
	i.mu.Unlock()
	return Sign(i.t, signer, i.Claims(changes))
}

// Sign signs claims with any key.
func Sign(t testing.TB, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token"}
	case "/keys":
		i.asked++
		// A key of an unknown kind is no reason to forget the others.
		answer = map[string]any{"keys": []any{i.public[0], map[string]string{"kty": "MOON", "kid": "x"}}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
