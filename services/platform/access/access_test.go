package access_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
)

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// write keeps tokens in a file; each is its own text.
func write(t *testing.T, path string, tokens ...access.Token) {
	t.Helper()
	for i := range tokens {
		if tokens[i].SHA256 == "" {
			tokens[i].SHA256 = hash(tokens[i].Actor)
		}
	}
	b, err := json.Marshal(map[string]any{"tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func call(caller, authorization string) context.Context {
	md := metadata.MD{}
	if caller != "" {
		md.Set(access.CallerKey, caller)
	}
	if authorization != "" {
		md.Set("authorization", authorization)
	}
	return metadata.NewIncomingContext(context.Background(), md)
}

func code(err error) codes.Code { return apperr.CodeOf(err) }

func TestWhoMayCall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	write(t, path, access.Token{Actor: "viewer", Role: access.Viewer}, access.Token{Actor: "support", Role: access.Support},
		access.Token{Actor: "admin", Role: access.Admin}, access.Token{Actor: "service", Role: access.Service})
	tokens, err := access.LoadTokens(time.Now, path, "")
	if err != nil {
		t.Fatal(err)
	}
	table := access.Table{
		"/viewer": {Role: access.Viewer}, "/support": {Role: access.Support}, "/admin": {Role: access.Admin}, "/service": {Role: access.Service},
		"/gateway": {Callers: []string{"gateway"}}, "/both": {Callers: []string{"gateway"}, Role: access.Support}, "/nobody": {},
	}
	const yes, denied, unknown = codes.OK, codes.PermissionDenied, codes.Unauthenticated
	for _, c := range []struct {
		caller, token string
		want          map[string]codes.Code
	}{
		{"", "viewer", map[string]codes.Code{"/viewer": yes, "/support": denied, "/admin": denied, "/service": denied, "/gateway": denied, "/both": denied, "/nobody": denied}},
		{"", "support", map[string]codes.Code{"/viewer": yes, "/support": yes, "/admin": denied, "/service": denied, "/gateway": denied, "/both": yes, "/nobody": denied}},
		{"", "admin", map[string]codes.Code{"/viewer": yes, "/support": yes, "/admin": yes, "/service": yes, "/gateway": denied, "/both": yes, "/nobody": denied}},
		{"", "service", map[string]codes.Code{"/viewer": denied, "/support": denied, "/admin": denied, "/service": yes, "/gateway": denied, "/both": denied, "/nobody": denied}},
		{"gateway", "", map[string]codes.Code{"/viewer": unknown, "/support": unknown, "/gateway": yes, "/both": yes, "/nobody": denied}},
		{"gateway", "viewer", map[string]codes.Code{"/viewer": yes, "/support": denied, "/gateway": yes, "/both": yes}},
		{"payments", "", map[string]codes.Code{"/gateway": denied, "/both": unknown, "/nobody": denied}},
		{"", "", map[string]codes.Code{"/viewer": unknown, "/gateway": unknown, "/both": unknown, "/nobody": unknown}},
		// A bad token is refused even where the caller alone would do.
		{"gateway", "stolen", map[string]codes.Code{"/gateway": unknown, "/both": unknown, "/viewer": unknown}},
		{"", "admin", map[string]codes.Code{"/not in the table": denied}},
		{"gateway", "", map[string]codes.Code{"/not in the table": denied}},
	} {
		for method, want := range c.want {
			header := ""
			if c.token != "" {
				header = "Bearer " + c.token
			}
			id, err := access.Check(call(c.caller, header), method, table, tokens)
			if code(err) != want {
				t.Errorf("caller %q with token %q on %s: %v, want %s", c.caller, c.token, method, err, want)
			}
			if err == nil && (id.Caller != c.caller || id.Actor != c.token || id.Role != c.token) {
				t.Errorf("caller %q with token %q is %+v", c.caller, c.token, id)
			}
		}
	}
	for _, header := range []string{"admin", "Basic admin", "bearer admin", "Bearer", "Bearer ", "Bearer " + hash("admin")} {
		if _, err := access.Check(call("", header), "/viewer", table, tokens); code(err) != unknown {
			t.Errorf("authorization %q: %v", header, err)
		}
	}
	if _, err := access.Check(call("", "Bearer admin"), "/viewer", table, nil); code(err) != unknown {
		t.Errorf("without any tokens: %v", err)
	}
}

func TestATokenExpires(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	write(t, path, access.Token{Actor: "sam", Role: access.Support, ExpiresAt: &at})
	now := at.Add(-time.Nanosecond)
	tokens, err := access.LoadTokens(func() time.Time { return now }, path)
	if err != nil {
		t.Fatal(err)
	}
	table := access.Table{"/x": {Role: access.Viewer}}
	if _, err := access.Check(call("", "Bearer sam"), "/x", table, tokens); err != nil {
		t.Errorf("before: %v", err)
	}
	now = at
	if _, err := access.Check(call("", "Bearer sam"), "/x", table, tokens); code(err) != codes.Unauthenticated {
		t.Errorf("after: %v", err)
	}
}

func TestATokenIsRevokedWithoutARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	write(t, path, access.Token{Actor: "sam", Role: access.Support})
	tokens, err := access.LoadTokens(time.Now, path)
	if err != nil {
		t.Fatal(err)
	}
	table := access.Table{"/x": {Role: access.Viewer}}
	may := func(who string) bool {
		_, err := access.Check(call("", "Bearer "+who), "/x", table, tokens)
		return err == nil
	}
	await := func(what string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain: %s", what)
			}
		}
	}
	if !may("sam") || may("vera") {
		t.Fatal("at first")
	}
	write(t, path, access.Token{Actor: "vera", Role: access.Viewer})
	await("sam is out, vera is in", func() bool { return !may("sam") && may("vera") })

	// Half written: what was known stays, until it is whole.
	if err := os.WriteFile(path, []byte(`{"tokens": [{"actor": "sa`), 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(1200 * time.Millisecond); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if !may("vera") || may("sam") {
			t.Fatal("a half-written file changed who may")
		}
	}
	write(t, path, access.Token{Actor: "sam", Role: access.Support})
	await("sam is in again", func() bool { return may("sam") && !may("vera") })
}

func TestATokenFileThatCannotBeMeant(t *testing.T) {
	good := hash("x")
	for name, content := range map[string]string{
		"not JSON":   `tokens`,
		"no actor":   `{"tokens": [{"role": "viewer", "sha256": "` + good + `"}]}`,
		"no role":    `{"tokens": [{"actor": "sam", "sha256": "` + good + `"}]}`,
		"owner":      `{"tokens": [{"actor": "sam", "role": "owner", "sha256": "` + good + `"}]}`,
		"plain text": `{"tokens": [{"actor": "sam", "role": "viewer", "sha256": "secret"}]}`,
	} {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := access.LoadTokens(time.Now, path); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := access.LoadTokens(time.Now, filepath.Join(t.TempDir(), "none.json")); err == nil {
		t.Error("a missing file")
	}
	if _, err := access.LoadTokens(time.Now, "", ""); err != nil {
		t.Errorf("no files: %v", err)
	}
}
