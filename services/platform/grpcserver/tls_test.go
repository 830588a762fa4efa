package grpcserver_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/emptypb"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/mtls"
)

var hour = func() time.Time { return time.Now().Add(time.Hour) }

// certified makes certificates for these names and returns their folder.
func certified(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := mtls.Make(dir, names, hour()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func opened(t *testing.T, dir, name string) *mtls.Folder {
	t.Helper()
	f, err := mtls.Open(dir, name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// guarded is a service behind TLS, named test, that friend may call, and a person.
func guarded(t *testing.T, dir string, answer func(context.Context) error) *running {
	t.Helper()
	sum := sha256.Sum256([]byte("a person"))
	file := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"tokens":[{"actor":"sam","role":"viewer","sha256":%q}]}`, hex.EncodeToString(sum[:])), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := access.LoadTokens(time.Now, file)
	if err != nil {
		t.Fatal(err)
	}
	table := access.Table{ask: {Callers: []string{"friend"}, Role: access.Viewer}}
	return startWith(t, table, service(answer, "Ask"), func(c *grpcserver.Config) {
		c.Certificates, c.Tokens = opened(t, dir, "test"), tokens
	})
}

// calling asks once, over a connection with these credentials, and says that it
// is from a friend.
func (r *running) calling(t *testing.T, shown credentials.TransportCredentials, more ...string) error {
	t.Helper()
	conn, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(shown))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, append(more, access.CallerKey, "friend")...)
	return apperr.FromStatus(conn.Invoke(ctx, ask, asking("abc"), &emptypb.Empty{}))
}

func TestACallerIsWhoItsCertificateSays(t *testing.T) {
	dir := certified(t, "test", "friend", "stranger")
	var seen access.Identity
	r := guarded(t, dir, func(ctx context.Context) error { seen = access.From(ctx); return nil })
	if err := r.calling(t, opened(t, dir, "friend").Client("test")); err != nil || seen.Caller != "friend" {
		t.Errorf("a friend: %v, seen as %+v", err, seen)
	}
	// What a call says of itself counts for nothing, and a token for what it is.
	for who, c := range map[string]struct {
		shown credentials.TransportCredentials
		token string
		want  codes.Code
		is    access.Identity
	}{
		"another service":                  {opened(t, dir, "stranger").Client("test"), "", codes.Unauthenticated, access.Identity{}},
		"nobody":                           {opened(t, dir, "").Client("test"), "", codes.Unauthenticated, access.Identity{}},
		"nobody with a guess":              {opened(t, dir, "").Client("test"), "a guess", codes.Unauthenticated, access.Identity{}},
		"a person without a certificate":   {opened(t, dir, "").Client("test"), "a person", codes.OK, access.Identity{Actor: "sam", Role: "viewer"}},
		"a service that forwards a person": {opened(t, dir, "stranger").Client("test"), "a person", codes.OK, access.Identity{Caller: "stranger", Actor: "sam", Role: "viewer"}},
	} {
		seen = access.Identity{}
		var more []string
		if c.token != "" {
			more = []string{"authorization", "Bearer " + c.token}
		}
		if err := r.calling(t, c.shown, more...); apperr.CodeOf(err) != c.want || seen != c.is {
			t.Errorf("%s: %v, seen as %+v", who, err, seen)
		}
	}
}

func TestOverTLSNobodyElseIsHeard(t *testing.T) {
	dir, elsewhere := certified(t, "test", "friend", mtls.Gateway), certified(t, "friend")
	r := guarded(t, dir, func(context.Context) error { return nil })
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatal(err)
	}
	shows := func(config *tls.Config) credentials.TransportCredentials {
		config.RootCAs, config.ServerName = roots, "test.makegood.internal"
		return credentials.NewTLS(config)
	}
	// with signs certificates of its own.
	with := func(dir string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "friend.pem"), filepath.Join(dir, "friend-key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	for who, shown := range map[string]credentials.TransportCredentials{
		"one without TLS":                       insecure.NewCredentials(),
		"one with an older TLS":                 shows(&tls.Config{MaxVersion: tls.VersionTLS12, GetClientCertificate: with(dir)}),
		"a friend of another authority":         shows(&tls.Config{GetClientCertificate: with(elsewhere)}),
		"a friend whose certificate ended":      shows(&tls.Config{GetClientCertificate: with(issued(t, dir, time.Now().Add(-time.Second), "friend"))}),
		"a certificate with somebody's own key": shows(&tls.Config{GetClientCertificate: swapped(t, dir, "friend", elsewhere)}),
		"one that believes another authority":   opened(t, elsewhere, "friend").Client("test"),
		"one that wants another service":        opened(t, dir, "friend").Client("orders"),
	} {
		if err := r.calling(t, shown, "authorization", "Bearer a person"); !grpcclient.Unreachable(err) {
			t.Errorf("%s: %v", who, err)
		}
	}
	// The same certificate, as it should be, so that the ones above failed for their reason.
	if err := r.calling(t, shows(&tls.Config{GetClientCertificate: with(dir)})); err != nil {
		t.Errorf("a friend: %v", err)
	}
}

// swapped shows the certificate of one and the key of another.
func swapped(t *testing.T, dir, name, keys string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	t.Helper()
	theirs, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(keys, name+".pem"), filepath.Join(keys, name+"-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	theirs.PrivateKey = own.PrivateKey
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &theirs, nil }
}

// issued is a folder with certificates of a new authority, which the first
// folder is made to believe as well.
func issued(t *testing.T, believing string, until time.Time, name string) string {
	t.Helper()
	a, err := mtls.NewAuthority(hour())
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.Issue(name, until)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca, err := os.ReadFile(filepath.Join(believing, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string][]byte{
		filepath.Join(believing, "ca.pem"): append(ca, a.PEM...), filepath.Join(dir, name+".pem"): cert, filepath.Join(dir, name+"-key.pem"): key,
	} {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A service that is not the one that was meant is not told anything: neither
// another service nor the gateway, which serves nobody.
func TestAServerProvesItsName(t *testing.T) {
	for _, name := range []string{"friend", mtls.Gateway} {
		dir := certified(t, "test", name, "caller")
		table := access.Table{ask: {Callers: []string{"caller"}}}
		called := false
		r := startWith(t, table, service(func(context.Context) error { called = true; return nil }, "Ask"), func(c *grpcserver.Config) {
			c.Certificates = opened(t, dir, name)
		})
		shown := opened(t, dir, "caller")
		for _, meant := range []string{"test", mtls.Gateway} {
			if err := r.calling(t, shown.Client(meant)); !grpcclient.Unreachable(err) || called {
				t.Errorf("%s, asked as %s: %v", name, meant, err)
			}
		}
		if err := r.calling(t, shown.Client("friend")); name == "friend" && err != nil {
			t.Errorf("asked as itself: %v", err)
		}
	}
}

// Certificates and authority are renewed while calls run, on connections that
// stay and on new ones: no call fails, and the new ones are in use afterwards.
func TestCertificatesAreRenewedWhileCallsRun(t *testing.T) {
	dir := certified(t, "test", "friend")
	var mu sync.Mutex
	shownBy := map[string]bool{} // the serials of the friend's certificates that the server saw
	r := guarded(t, dir, func(ctx context.Context) error {
		p, _ := peer.FromContext(ctx)
		mu.Lock()
		defer mu.Unlock()
		shownBy[p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].SerialNumber.String()] = true
		return nil
	})
	friend := opened(t, dir, "friend")
	stays, err := grpcclient.Dial(r.addr, "friend", nil, grpc.WithTransportCredentials(friend.Client("test")))
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	done := make(chan struct{})
	var calls sync.WaitGroup
	var rounds [2]atomic.Int64
	for i := range rounds {
		calls.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				comes, err := grpcclient.Dial(r.addr, "friend", nil, grpc.WithTransportCredentials(friend.Client("test")))
				if err != nil {
					t.Error(err)
					return
				}
				if err := asked(t, t.Context(), comes, asking("abc")); err != nil {
					t.Errorf("on a new connection: %v", err)
				}
				_ = comes.Close()
				if err := asked(t, t.Context(), stays, asking("abc")); err != nil {
					t.Errorf("on the one that stays: %v", err)
				}
				rounds[i].Add(1)
			}
		})
	}
	var last *big.Int
	for range 5 {
		if err := mtls.Make(dir, []string{"test", "friend"}, hour()); err != nil {
			t.Fatal(err)
		}
		last = serial(t, filepath.Join(dir, "friend.pem"))
		// The next renewal comes when this one is in use by all: an authority is
		// believed until the next but one.
		begun := [2]int64{rounds[0].Load(), rounds[1].Load()}
		for seen := false; !seen || rounds[0].Load() < begun[0]+2 || rounds[1].Load() < begun[1]+2; {
			if t.Failed() {
				t.FailNow()
			}
			mu.Lock()
			seen = shownBy[last.String()]
			mu.Unlock()
		}
	}
	close(done)
	calls.Wait()

	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}).DialContext(t.Context(), "tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, want := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber, serial(t, filepath.Join(dir, "test.pem")); got.Cmp(want) != 0 {
		t.Errorf("the server shows %s, not %s", got, want)
	}
}

func serial(t *testing.T, path string) *big.Int {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(body)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c.SerialNumber
}
