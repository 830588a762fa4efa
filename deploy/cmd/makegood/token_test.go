package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"makegood.example/services/platform/access"
)

func TestThePeoplesTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "admin-tokens.json")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	run := func(args ...string) (out, said string, err error) {
		var o, s bytes.Buffer
		err = tokens{file: file, now: now, out: &o, say: &s}.run(args)
		return o.String(), s.String(), err
	}
	out, said, err := run("new", "-actor", "sam", "-role", "support", "-expires", "30d")
	token := strings.TrimSpace(out)
	if err != nil || !strings.HasPrefix(token, "mg_") || strings.Contains(token, "\n") || !strings.Contains(said, "sam may act as support until 2026-03-31T12:00:00Z") {
		t.Fatalf("%q %q %v", out, said, err)
	}
	if body, err := os.ReadFile(file); err != nil || strings.Contains(string(body), token) || strings.Contains(said, token) {
		t.Errorf("the token is kept or said: %v", err)
	}
	if _, _, err := run("new", "-actor", "vera", "-role", "viewer", "-expires", "never"); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(0, 0, 30)
	list, err := access.ListTokens(file)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v %v", list, err)
	}
	out, _, _ = run("list")
	for _, want := range []string{list[0].ID(), "sam", "support", "(expired)", list[1].ID(), "vera", "viewer", "never"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list lacks %q:\n%s", want, out)
		}
	}
	if _, said, err = run("revoke", list[0].ID()); err != nil || !strings.Contains(said, "of sam") {
		t.Errorf("%q %v", said, err)
	}
	if _, _, err = run("revoke", "-actor", "vera"); err != nil {
		t.Error(err)
	}
	if list, err := access.ListTokens(file); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	for _, wrong := range [][]string{nil, {"new"}, {"new", "-actor", "sam", "-role", "owner"}, {"new", "-actor", "sam", "-expires", "soon"}, {"revoke"}, {"revoke", "-actor", "nobody"}, {"revoke", "-actor", "sam", "abc"}, {"list", "x"}, {"steal"}} {
		if _, _, err := run(wrong...); err == nil {
			t.Errorf("%v was done", wrong)
		}
	}
}
