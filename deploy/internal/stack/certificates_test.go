package stack

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCertificatesAreMadeWhereTheUserAsksForThem(t *testing.T) {
	resolved := func(dir, wish string, beside bool) *settings {
		t.Helper()
		s, err := resolve(dir, []string{"GRPC_TLS_DIR=" + wish}, beside, State{WebhookSecret: "whsec_state"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	read := func(path string) string {
		t.Helper()
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	dir, theirs := t.TempDir(), filepath.Join(t.TempDir(), "certificates")
	if s := resolved(dir, "", false); s.certificates != "" || s.env["GRPC_TLS_DIR"] != "" {
		t.Errorf("not asked for: %q", s.env["GRPC_TLS_DIR"])
	}
	if s := resolved(dir, "auto", false); s.certificates != filepath.Join(dir, "tls") || s.env["GRPC_TLS_DIR"] != s.certificates {
		t.Errorf("the stack's own: %q", s.env["GRPC_TLS_DIR"])
	}
	for range 2 { // the second start renews what the first made
		s := resolved(dir, theirs, false)
		if s.certificates != theirs || s.env["GRPC_TLS_DIR"] != theirs {
			t.Errorf("in a folder of the user's: %q", s.env["GRPC_TLS_DIR"])
		}
		for _, name := range append(services, "gateway") {
			read(filepath.Join(theirs, name+"-key.pem"))
		}
	}
	before := read(filepath.Join(theirs, "ca.pem"))
	if s := resolved(dir, theirs, true); s.env["GRPC_TLS_DIR"] != filepath.Join(dir, "tls") || read(filepath.Join(theirs, "ca.pem")) != before {
		t.Errorf("beside another stack: %q", s.env["GRPC_TLS_DIR"])
	}
	if err := os.WriteFile(filepath.Join(theirs, "ca.pem"), []byte("another authority"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := resolved(dir, theirs, false); s.certificates != "" || s.env["GRPC_TLS_DIR"] != theirs || read(filepath.Join(theirs, "ca.pem")) != "another authority" {
		t.Errorf("of another authority: %q", s.env["GRPC_TLS_DIR"])
	}
}
