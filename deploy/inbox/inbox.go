// Package inbox is the mailbox of the development stack: an SMTP server that
// accepts everything, keeps it on disk, and shows it to people as a web page
// and to tests as JSON. It delivers nothing to anybody.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/emersion/go-smtp"
)

// Largest mail that is accepted, in bytes.
const maxMailBytes = 25 << 20

// Config says where the inbox listens and where it keeps its mails.
type Config struct {
	SMTPAddr string // host:port for SMTP
	HTTPAddr string // host:port for the page and the API
	Dir      string // folder of the kept mails, made when missing
	// Pages adds pages of others beside the inbox's own; may be nil.
	Pages func(*http.ServeMux)
}

// Inbox is a running mailbox.
type Inbox struct {
	store  *Store
	faults *faults
	log    *slog.Logger

	smtp         *smtp.Server
	http         *http.Server
	smtpListener net.Listener
	httpListener net.Listener
}

// Open reads the kept mails and opens both listeners. Nothing is served until
// Run. The addresses may name port 0; SMTPAddr and HTTPAddr tell what was taken.
func Open(cfg Config, log *slog.Logger) (*Inbox, error) {
	store, err := OpenStore(cfg.Dir)
	if err != nil {
		return nil, err
	}
	in := &Inbox{store: store, faults: newFaults(), log: log}
	if in.smtpListener, err = net.Listen("tcp", cfg.SMTPAddr); err != nil {
		return nil, fmt.Errorf("INBOX_SMTP_ADDR: %w", err)
	}
	if in.httpListener, err = net.Listen("tcp", cfg.HTTPAddr); err != nil {
		in.smtpListener.Close()
		return nil, fmt.Errorf("INBOX_HTTP_ADDR: %w", err)
	}
	in.smtp = newSMTPServer(in)
	in.http = &http.Server{
		Handler:           newHandler(in, cfg.Pages),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return in, nil
}

// SMTPAddr is the host:port where mail is accepted.
func (in *Inbox) SMTPAddr() string { return in.smtpListener.Addr().String() }

// HTTPAddr is the host:port of the page and the API.
func (in *Inbox) HTTPAddr() string { return in.httpListener.Addr().String() }

// Run serves until ctx ends, then lets running deliveries and requests finish
// for at most two seconds.
func (in *Inbox) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() {
		if err := in.smtp.Serve(in.smtpListener); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			failed <- fmt.Errorf("smtp: %w", err)
		}
	}()
	go func() {
		if err := in.http.Serve(in.httpListener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("http: %w", err)
		}
	}()
	in.log.Info("inbox is open", "smtp_addr", in.SMTPAddr(), "http_addr", in.HTTPAddr(), "mails", in.store.Len())

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	in.faults.close()
	stop, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = in.http.Shutdown(stop)
	if in.smtp.Shutdown(stop) != nil {
		in.smtp.Close()
	}
	return err
}
