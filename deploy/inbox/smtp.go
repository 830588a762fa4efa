package inbox

import (
	"io"
	"log/slog"
	"time"

	"github.com/emersion/go-smtp"
)

func newSMTPServer(in *Inbox) *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{inbox: in, conn: c}, nil
	}))
	server.Domain = "inbox.localhost"
	server.MaxMessageBytes = maxMailBytes
	server.MaxRecipients = 100
	server.ReadTimeout = time.Minute
	server.WriteTimeout = 10 * time.Second
	server.EnableSMTPUTF8 = true
	server.ErrorLog = slog.NewLogLogger(in.log.Handler(), slog.LevelDebug)
	return server
}

// session is one SMTP connection; it carries one delivery after the other.
type session struct {
	inbox *Inbox
	conn  *smtp.Conn
	from  string
	to    []string
	fault Faults
	taken bool // this delivery's fault was drawn
}

// Mail begins a delivery.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.Reset()
	s.from = from
	return nil
}

// Rcpt adds a recipient, or refuses it when a test asked for that.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if !s.taken {
		s.fault = s.inbox.faults.take(to)
		s.taken = s.fault != Faults{}
	}
	switch s.fault.Refuse {
	case "permanent":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox here (asked for by a test)"}
	case "temporary":
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Try again later (asked for by a test)"}
	}
	s.to = append(s.to, to)
	return nil
}

// Data keeps the mail; only a kept mail is acknowledged.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	envelope, err := s.inbox.store.Add(s.from, s.to, raw, time.Now())
	if err != nil {
		s.inbox.log.Error("mail could not be kept", "error", err)
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "The mail could not be kept"}
	}
	s.inbox.log.Info("mail accepted", "id", envelope.ID, "bytes", len(raw))
	if s.fault.HangAfterData {
		s.inbox.log.Info("acknowledgement held", "id", envelope.ID)
		s.inbox.faults.hold()
	}
	if s.fault.DropAfterData {
		s.inbox.log.Info("acknowledgement dropped", "id", envelope.ID)
		return s.conn.Close()
	}
	return nil
}

// Reset forgets an unfinished delivery.
func (s *session) Reset() { s.from, s.to, s.fault, s.taken = "", nil, Faults{}, false }

// Logout ends the connection.
func (s *session) Logout() error { return nil }
