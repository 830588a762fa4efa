package access_test

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"makegood.example/services/platform/access"
)

func TestAFileOfTokensKeepsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first, err := access.Mint(path, access.Token{Actor: "sam", Role: access.Support, CreatedAt: &at, ExpiresAt: &at})
	if err != nil {
		t.Fatal(err)
	}
	second, err := access.Mint(path, access.Token{Actor: "sam", Role: access.Support})
	if err != nil || first == second || len(first) < 26 {
		t.Fatalf("%v, %d characters", err, len(first))
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{first, second} {
		if strings.Contains(string(body), token) || !strings.Contains(string(body), hash(token)) {
			t.Error("the file must have the hash and not the token")
		}
	}
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", filepath.Base(file), info.Mode(), err)
		}
	}
	list, err := access.ListTokens(path)
	if err != nil || len(list) != 2 || !list[0].Expired(at) || list[1].Expired(at.AddDate(100, 0, 0)) {
		t.Fatalf("%v %+v", err, list)
	}
	revoked, err := access.RevokeTokens(path, func(tok access.Token) bool { return tok.ID() == list[0].ID() })
	if err != nil || len(revoked) != 1 || revoked[0].SHA256 != hash(first) {
		t.Errorf("%v %+v", err, revoked)
	}
	if _, err := access.RevokeTokens(path, func(access.Token) bool { return true }); err != nil {
		t.Error(err)
	}
	if _, err := access.LoadTokens(time.Now, path); err != nil {
		t.Errorf("a file without any: %v", err)
	}
	for _, wrong := range []access.Token{{Role: access.Admin}, {Actor: "sam"}, {Actor: "sam", Role: "owner"}} {
		if _, err := access.Mint(path, wrong); err == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
}

// A file that the services read as a group stays theirs to read.
func TestAFileKeepsWhoMayReadIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	for given, want := range map[fs.FileMode]fs.FileMode{0o640: 0o640, 0o644: 0o640, 0o600: 0o600} {
		if err := os.WriteFile(path, []byte(`{"tokens": []}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, given); err != nil {
			t.Fatal(err)
		}
		if _, err := access.Mint(path, access.Token{Actor: "sam", Role: access.Support}); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%v became %v, want %v: %v", given, info.Mode(), want, err)
		}
	}
}

// A file that somebody broke is not overwritten.
func TestABrokenFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, []byte(`{"tokens": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Mint(path, access.Token{Actor: "sam", Role: access.Support}); err == nil {
		t.Error("a token was added to what cannot be read")
	}
	if body, err := os.ReadFile(path); err != nil || string(body) != `{"tokens": [` {
		t.Errorf("%q %v", body, err)
	}
}

func TestTwoWhoChangeAFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := access.Mint(path, access.Token{Actor: fmt.Sprintf("person %d", i), Role: access.Viewer}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := access.ListTokens(path); err != nil || len(list) != 20 {
		t.Errorf("%d tokens of 20: %v", len(list), err)
	}
}

// A file that goes away takes nobody's access, and gives nobody any; that is said.
func TestAFileThatGoesAwayIsToldOfOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	token, err := access.Mint(path, access.Token{Actor: "sam", Role: access.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := access.LoadTokens(time.Now, path)
	if err != nil {
		t.Fatal(err)
	}
	var said record
	tokens.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{}))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	table := access.Table{"/x": {Role: access.Viewer}}
	for deadline := time.Now().Add(10 * time.Second); said.count("still works") == 0; time.Sleep(50 * time.Millisecond) {
		if _, err := access.Check(call("", "Bearer "+token), "/x", table, tokens); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was said")
		}
	}
	for deadline := time.Now().Add(1200 * time.Millisecond); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		_, _ = access.Check(call("", "Bearer "+token), "/x", table, tokens)
	}
	if n := said.count("still works"); n != 1 {
		t.Errorf("said %d times", n)
	}
	if said.count(token) > 0 {
		t.Error("the log has the token")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("%v is not %v", err, fs.ErrNotExist)
	}
}

type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) count(word string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), word)
}
