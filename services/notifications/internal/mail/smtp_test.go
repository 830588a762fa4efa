package mail

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var certificate tls.Certificate

// TestMain makes a certificate for 127.0.0.1 and has this process trust it.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mail-test-")
	if err == nil {
		err = makeCertificate(filepath.Join(dir, "ca.pem"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func makeCertificate(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	return os.Setenv("SSL_CERT_FILE", path)
}

// relay is a mail server that answers as told, and remembers how it was asked.
type relay struct {
	mailErr, rcptErr, dataErr error
	hang                      chan struct{} // DATA waits for it

	secured  bool
	user     string
	received string
}

func (r *relay) start(t *testing.T, useTLS, implicit bool) string {
	t.Helper()
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{relay: r, conn: c}, nil }))
	server.Domain = "localhost"
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	if useTLS {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if implicit {
		l = tls.NewListener(l, server.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return addr
}

type session struct {
	relay *relay
	conn  *smtp.Conn
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "correct" {
			return smtp.ErrAuthFailed
		}
		s.relay.user = user
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	_, s.relay.secured = s.conn.TLSConnectionState()
	return s.relay.mailErr
}

func (s *session) Rcpt(string, *smtp.RcptOptions) error { return s.relay.rcptErr }

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.relay.received = string(raw)
	if s.relay.hang != nil {
		<-s.relay.hang
	}
	return s.relay.dataErr
}

func send(t *testing.T, url string, timeout time.Duration) error {
	t.Helper()
	server, err := ParseServer(url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	r, err := brand.Render(facts("CONFIRMATION"))
	if err != nil {
		t.Fatal(err)
	}
	return server.Send(ctx, Envelope{
		From: mail.Address{Name: "Example", Address: "no-reply@example.com"}, To: "jane@example.com", ReplyTo: "help@example.com",
		MessageID: "0123@example.com", Date: time.Now(),
	}, r)
}

const ample = 5 * time.Second

func code(code, class, a, b int) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, a, b}, Message: "no: <jane@example.com>"}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		relay             relay
		permanent, server bool
		says              string
	}{
		"mailbox busy":          {relay{rcptErr: code(451, 4, 2, 1)}, false, false, "451"},
		"unknown recipient":     {relay{rcptErr: code(550, 5, 1, 1)}, true, false, "550"},
		"sender refused":        {relay{mailErr: code(550, 5, 7, 1)}, true, false, "550"},
		"authentication wanted": {relay{mailErr: code(530, 5, 7, 0)}, false, true, "530 5.7.0; the connection is not encrypted"},
		"login too weak":        {relay{mailErr: code(534, 5, 7, 9)}, false, true, "534"},
		"login refused later":   {relay{mailErr: code(535, 5, 7, 8)}, false, true, "refuses the user or the password"},
		"encryption wanted":     {relay{mailErr: code(538, 5, 7, 11)}, false, true, "is not encrypted"},
		"content refused":       {relay{dataErr: code(554, 5, 7, 1)}, true, false, "554"},
		"out of space":          {relay{dataErr: code(452, 4, 3, 1)}, false, false, "452"},
		"shutting down":         {relay{mailErr: code(421, 4, 3, 2)}, false, true, "421"},
		"accepted":              {relay{}, false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := send(t, "smtp://"+c.relay.start(t, false, false), ample)
			if c.says == "" {
				if err != nil || !strings.Contains(c.relay.received, "Message-ID: <0123@example.com>\r\n") {
					t.Errorf("%v\n%s", err, c.relay.received)
				}
				return
			}
			var failed *Error
			if !errors.As(err, &failed) || failed.Permanent != c.permanent || failed.Server != c.server || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "jane") {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestAServerThatHangsIsLeftInTime(t *testing.T) {
	r := relay{hang: make(chan struct{})}
	addr := r.start(t, false, false)
	defer close(r.hang)
	began := time.Now()
	err := send(t, "smtp://"+addr, 300*time.Millisecond)
	var failed *Error
	if !errors.As(err, &failed) || failed.Permanent || !failed.Server {
		t.Errorf("got %#v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAServerThatIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	var failed *Error
	if err := send(t, "smtp://relay:correct@"+addr, ample); !errors.As(err, &failed) || failed.Permanent || !failed.Server || strings.Contains(err.Error(), "encrypted") {
		t.Errorf("got %#v", err)
	}
}

// A mail is sent once the server said 250, whatever happens afterwards.
func TestAConnectionThatBreaksAfterAcceptance(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
		buf := make([]byte, 64<<10)
		hear := func(until string) {
			var all string
			for !strings.HasSuffix(all, until) {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				all += string(buf[:n])
			}
		}
		say("220 ready")
		hear("\r\n") // EHLO
		say("250 hello")
		hear("\r\n") // MAIL
		say("250 ok")
		hear("\r\n") // RCPT
		say("250 ok")
		hear("\r\n") // DATA
		say("354 go on")
		hear("\r\n.\r\n")
		say("250 accepted")
	}()
	if err := send(t, "smtp://"+l.Addr().String(), ample); err != nil {
		t.Error(err)
	}
}

func TestEncryptionAndAuthentication(t *testing.T) {
	for name, c := range map[string]struct {
		tls, implicit bool
		scheme, user  string
		fails         string // with
	}{
		"plain, nothing offered":         {false, false, "smtp://", "", ""},
		"STARTTLS is used when offered":  {true, false, "smtp://", "", ""},
		"STARTTLS with authentication":   {true, false, "smtp://", "relay:correct@", ""},
		"implicit TLS":                   {true, true, "smtps://", "", ""},
		"implicit TLS, authentication":   {true, true, "smtps://", "relay:correct@", ""},
		"wrong password":                 {true, true, "smtps://", "relay:wrong@", "535; it refuses the user or the password"},
		"no password over a plain line":  {false, false, "smtp://", "relay:correct@", "the connection is not encrypted, because the server offers no TLS"},
		"a plain server is not good TLS": {false, false, "smtps://", "", "first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			r := relay{}
			err := send(t, c.scheme+c.user+r.start(t, c.tls, c.implicit), ample)
			if c.fails != "" {
				var failed *Error
				if !errors.As(err, &failed) || failed.Permanent || !failed.Server || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "correct") {
					t.Errorf("got %#v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.secured != (c.tls) {
				t.Errorf("encrypted: %v", r.secured)
			}
			if want := strings.TrimSuffix(c.user, ":correct@"); r.user != want {
				t.Errorf("authenticated as %q, want %q", r.user, want)
			}
		})
	}
}

func TestParseServer(t *testing.T) {
	for url, want := range map[string]Server{
		"smtp://mail.example.com":                  {host: "mail.example.com", port: 587},
		"smtps://u%40example.com:p%3Aw@[::1]:2465": {host: "::1", port: 2465, implicit: true, user: "u@example.com", password: "p:w"},
		"smtp://127.0.0.1:1025/":                   {host: "127.0.0.1", port: 1025},
	} {
		if got, err := ParseServer(url); err != nil || got != want {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
	for _, url := range []string{"", "mail.example.com:25", "smtp://", "http://mail.example.com", "smtp://host:0", "smtp://host:99999", "smtp://secret%@host", "smtp://host/path"} {
		if got, err := ParseServer(url); err == nil {
			t.Errorf("%s is accepted: %+v", url, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error quotes the address: %v", err)
		}
	}
}
