// Package mtls is how services know each other when GRPC_TLS_DIR is set: each
// has a certificate, shows it on both ends of a connection, and is who the
// certificate says.
//
// The folder holds ca.pem, the authorities that are believed, and of each
// service <name>.pem with <name>-key.pem. A certificate names its service as
// <name>.makegood.internal; whatever else it names is for people's tools. The
// files are looked at before every handshake, so that a certificate is renewed
// without a restart.
package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
)

// domain is what follows a service's name in its certificate. No public
// authority issues names below .internal.
const domain = ".makegood.internal"

// Folder is the certificates that one process uses. A nil Folder is no TLS.
type Folder struct {
	dir  string
	name string // of the process; empty has no certificate of its own
	log  *slog.Logger

	mu     sync.Mutex
	stamps stamps
	kept   *material
	bad    stamps // files that could not be used, so that it is said once
}

// material is what was read from the folder at one time.
type material struct {
	own         []tls.Certificate
	authorities *x509.CertPool
}

// stamps tell files that were changed from those that were not.
type stamps [3]os.FileInfo

func (a stamps) same(b stamps) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

// Open reads the folder for the process of that name. An empty name has no
// certificate: a person's tool or the SaaS's backend, who show a token. An empty
// dir is no TLS.
func Open(dir, name string, log *slog.Logger) (*Folder, error) {
	if dir == "" {
		return nil, nil
	}
	f := &Folder{dir: dir, name: name, log: log}
	seen, err := f.look()
	if err == nil {
		f.kept, err = f.read()
	}
	if err != nil {
		return nil, fmt.Errorf("GRPC_TLS_DIR: %w", err)
	}
	f.stamps = seen
	return f, nil
}

func (f *Folder) paths() []string {
	paths := []string{filepath.Join(f.dir, "ca.pem")}
	if f.name != "" {
		paths = append(paths, certPath(f.dir, f.name), keyPath(f.dir, f.name))
	}
	return paths
}

func certPath(dir, name string) string { return filepath.Join(dir, name+".pem") }
func keyPath(dir, name string) string  { return filepath.Join(dir, name+"-key.pem") }

func (f *Folder) look() (seen stamps, err error) {
	for i, path := range f.paths() {
		if seen[i], err = os.Stat(path); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// read takes what the folder holds, when it fits together.
func (f *Folder) read() (*material, error) {
	paths := f.paths()
	pem, err := os.ReadFile(paths[0])
	if err != nil {
		return nil, err
	}
	m := &material{authorities: x509.NewCertPool()}
	if !m.authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", paths[0])
	}
	if f.name == "" {
		return m, nil
	}
	own, err := tls.LoadX509KeyPair(paths[1], paths[2])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", paths[1], err)
	}
	if name := nameOf(own.Leaf); name != f.name {
		return nil, fmt.Errorf("%s must name %s and no other service", paths[1], f.name+domain)
	}
	between := x509.NewCertPool()
	for _, der := range own.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", paths[1], err)
		}
		between.AddCert(c)
	}
	_, err = own.Leaf.Verify(x509.VerifyOptions{Roots: m.authorities, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", paths[1], err)
	}
	m.own = []tls.Certificate{own}
	return m, nil
}

// current is what the folder holds now; while that does not fit together, half
// renewed as it may be, what it held before.
func (f *Folder) current() *material {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen, err := f.look()
	if err == nil && seen.same(f.stamps) {
		return f.kept
	}
	var m *material
	if err == nil {
		m, err = f.read()
	}
	if err != nil {
		if !seen.same(f.bad) {
			f.log.Warn("the certificates changed and cannot be used; the former ones stay", "error", err.Error())
			f.bad = seen
		}
		return f.kept
	}
	f.log.Info("the certificates were renewed")
	f.kept, f.stamps, f.bad = m, seen, stamps{}
	return m
}

// Server is what a server shows, and whom it believes. Whoever shows a
// certificate must be known; who shows none is nobody until a token says who.
func (f *Folder) Server() credentials.TransportCredentials {
	if f == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			m := f.current()
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
				Certificates: m.own, ClientCAs: m.authorities, ClientAuth: tls.VerifyClientCertIfGiven,
				SessionTicketsDisabled: true, // who resumes a session is not verified again
			}, nil
		},
	})
}

// Client is what is shown to the named service, which must prove its name.
func (f *Folder) Client(service string) credentials.TransportCredentials {
	if f == nil {
		return insecure.NewCredentials()
	}
	return client{f, service}
}

// client makes its connection's credentials anew for every handshake.
type client struct {
	folder  *Folder
	service string
}

func (c client) config() *tls.Config {
	m := c.folder.current()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: m.authorities, ServerName: c.service + domain,
		// Always shown, also to a server that lists other authorities: being refused
		// is clearer than being nobody.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(m.own) == 0 {
				return &tls.Certificate{}, nil
			}
			return &m.own[0], nil
		},
		// The server's name was checked already; this refuses a certificate that
		// names several services, or all of them.
		VerifyConnection: func(s tls.ConnectionState) error {
			if nameOf(s.PeerCertificates[0]) != c.service {
				return fmt.Errorf("its certificate must name %s and no other service", c.service+domain)
			}
			return nil
		},
	}
}

// ClientHandshake takes the name that the server must prove from the service that
// was meant, and not from the address that was dialed.
func (c client) ClientHandshake(ctx context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(c.config()).ClientHandshake(ctx, c.service+domain, conn)
}

func (c client) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a client's")
}

func (c client) Info() credentials.ProtocolInfo { return credentials.NewTLS(c.config()).Info() }

func (c client) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is part of the interface; a service has one name.
func (c client) OverrideServerName(string) error {
	return errors.New("a service is called by its own name")
}

// Caller is the service that a call came from as its certificate says, empty for
// a caller without one. over says whether the call came over TLS at all.
func Caller(ctx context.Context) (name string, over bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return "", false
	}
	if len(info.State.VerifiedChains) == 0 {
		return "", true
	}
	return nameOf(info.State.VerifiedChains[0][0]), true
}

// nameOf is the one service that a certificate names; who has several has none.
func nameOf(c *x509.Certificate) string {
	found := ""
	for _, dns := range c.DNSNames {
		name, ours := strings.CutSuffix(dns, domain)
		switch {
		case !ours:
		case found != "" || strings.ContainsAny(name, "*."):
			return ""
		default:
			found = name
		}
	}
	return found
}
