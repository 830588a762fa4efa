// Command inbox runs the development mailbox; see package inbox.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"makegood.example/deploy/inbox"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	in, err := inbox.Open(inbox.Config{
		SMTPAddr: cmp.Or(os.Getenv("INBOX_SMTP_ADDR"), "127.0.0.1:1025"),
		HTTPAddr: cmp.Or(os.Getenv("INBOX_HTTP_ADDR"), "127.0.0.1:8025"),
		Dir:      cmp.Or(os.Getenv("INBOX_DIR"), "inbox"),
	}, log)
	if err == nil {
		err = in.Run(ctx)
	}
	if err != nil {
		log.Error("inbox stopped", "error", err)
		os.Exit(1)
	}
}
