package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
)

// Server is a mail server that relays for us.
type Server struct {
	host     string
	port     int
	implicit bool // TLS from the first byte
	user     string
	password string
}

// ParseServer reads smtp://[user:password@]host[:port], which uses STARTTLS when
// it is offered, or smtps://…, which begins with TLS. The error does not quote
// the address: it may hold a password.
func ParseServer(raw string) (Server, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return Server{}, errors.New("must have the form smtp://[user:password@]host:port or smtps://…")
	}
	s := Server{host: u.Hostname(), user: u.User.Username()}
	s.password, _ = u.User.Password()
	switch u.Scheme {
	case "smtp":
		s.port = 587
	case "smtps":
		s.port, s.implicit = 465, true
	default:
		return Server{}, errors.New("must begin with smtp:// or smtps://")
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return Server{}, errors.New("the port must be a number up to 65535")
		}
	}
	return s, nil
}

// Envelope is where a mail goes and what it is known by.
type Envelope struct {
	From    mail.Address
	To      string
	ReplyTo string
	// MessageID is without angle brackets.
	MessageID string
	Headers   map[string]string
	Date      time.Time
}

// Error is a failed delivery. It quotes nothing that the mail server said but
// its codes: servers like to repeat the recipient's address.
type Error struct {
	// Permanent says that the server refused this mail for good.
	Permanent bool
	// Server says that the trouble is not about this mail: the server cannot be
	// reached, or does not let us in.
	Server bool
	what   string
}

func (e *Error) Error() string { return e.what }

// Send hands one mail to the server; nil once the server has accepted it. The
// whole conversation ends with ctx. Without a definite answer the mail may have
// been accepted all the same.
func (s Server) Send(ctx context.Context, env Envelope, r Rendered) (err error) {
	ctx, span := tracing.Begin(ctx, "smtp send", trace.SpanKindClient)
	defer func() { tracing.End(span, err) }()
	msg, err := compose(env, r)
	if err != nil {
		return err
	}
	var line line
	client, err := s.client(ctx, &line)
	if err != nil {
		return fmt.Errorf("mail client: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.explainLogin(err, line)
	}
	// Neither a failed QUIT nor a reset connection takes an acceptance back.
	defer func() { _ = client.CloseWithSMTPClient(conn) }()
	err = client.SendWithSMTPClient(conn, msg)
	if msg.IsDelivered() {
		return nil
	}
	if err == nil {
		err = errors.New("the mail was not delivered")
	}
	return s.explain(err, line)
}

// line is what became of the connection, which the library does not tell when
// it fails.
type line struct{ open, encrypted bool }

func (s Server) client(ctx context.Context, line *line) (*gomail.Client, error) {
	tlsConfig := &tls.Config{
		ServerName: s.host, MinVersion: tls.VersionTLS12,
		VerifyConnection: func(tls.ConnectionState) error { line.encrypted = true; return nil },
	}
	if ip := net.ParseIP(s.host); s.user == "" && (s.host == "localhost" || ip != nil && ip.IsLoopback()) {
		// A relay on this machine often offers STARTTLS with a certificate that
		// nobody signed. Without STARTTLS we would speak plainly to it.
		tlsConfig.InsecureSkipVerify = true
	}
	dial := func(dialCtx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(dialCtx, network, addr)
		if err != nil {
			return nil, err
		}
		line.open = true
		// The library renews its deadline at every phase; ctx bounds them all.
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		if !s.implicit {
			return conn, nil
		}
		secured := tls.Client(conn, tlsConfig)
		if err := secured.HandshakeContext(dialCtx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secured, nil
	}
	timeout := gomail.DefaultTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(deadline), time.Millisecond)
	}
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(tlsConfig),
		// The library sees by itself that a connection is encrypted already.
		gomail.WithDialContextFunc(dial), gomail.WithTLSPolicy(gomail.TLSOpportunistic),
		gomail.WithoutNoop(), gomail.WithoutRset(), gomail.WithoutSMTPUTF8(),
	}
	if s.user != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	return gomail.NewClient(s.host, options...)
}

func compose(env Envelope, r Rendered) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&env.From)
	if err := msg.To(env.To); err != nil {
		return nil, &Error{Permanent: true, what: "the recipient's address cannot be used"}
	}
	if err := msg.ReplyTo(env.ReplyTo); err != nil {
		return nil, fmt.Errorf("reply-to: %w", err)
	}
	msg.SetMessageIDWithValue(env.MessageID)
	msg.SetDateWithValue(env.Date)
	msg.Subject(r.Subject)
	// So that holiday notices are not sent back.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	for key, value := range env.Headers {
		msg.SetGenHeader(gomail.Header(key), value)
	}
	msg.SetBodyString(gomail.TypeTextPlain, r.Text)
	if r.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, r.HTML)
	}
	return msg, nil
}
