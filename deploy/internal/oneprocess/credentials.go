package oneprocess

import (
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/grpcclient"
)

// Credentials are people and a backend with a token each, by what they are; one has
// expired and one was never made.
func (w *World) Credentials() map[string]string { return w.people }

// makePeople writes the file that names them.
func (w *World) makePeople() (path string) {
	w.t.Helper()
	path = filepath.Join(w.t.TempDir(), "admin-tokens.json")
	over := w.Clock.Now().Add(-time.Second)
	w.people = map[string]string{"unknown": "a token that was never made"}
	for name, tok := range map[string]access.Token{
		"viewer": {Role: access.Viewer}, "support": {Role: access.Support}, "admin": {Role: access.Admin},
		"expired": {Role: access.Admin, ExpiresAt: &over},
	} {
		tok.Actor = name
		text, err := access.Mint(path, tok)
		if err != nil {
			w.t.Fatal(err)
		}
		w.people[name] = text
	}
	w.people["service"] = serviceToken
	return path
}

// Conn connects to a service as another one, or as nobody.
func (w *World) Conn(service, caller string) *grpc.ClientConn {
	w.t.Helper()
	for _, s := range services {
		if s.name != service {
			continue
		}
		conn, err := grpcclient.Dial(s.addr, caller, w.network.dialer(caller, nil))
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	w.t.Fatalf("there is no service %q", service)
	return nil
}
