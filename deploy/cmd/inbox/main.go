// Command inbox runs the development mailbox and, beside it, the stand-in of the
// SaaS's own app; see packages inbox and app.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"makegood.example/deploy/inbox"
	"makegood.example/deploy/inbox/app"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, log); err != nil {
		log.Error("inbox stopped", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger) error {
	standIn, err := app.New(app.Config{
		ProvisioningAddr: cmp.Or(os.Getenv("PROVISIONING_GRPC_ADDR"), "127.0.0.1:9103"),
		TokenFile:        os.Getenv("INBOX_SERVICE_TOKEN_FILE"),
		TLSDir:           os.Getenv("GRPC_TLS_DIR"),
		Name:             os.Getenv("APP_NAME"),
	}, log)
	if err != nil {
		return err
	}
	defer standIn.Close()
	in, err := inbox.Open(inbox.Config{
		SMTPAddr: cmp.Or(os.Getenv("INBOX_SMTP_ADDR"), "127.0.0.1:1025"),
		HTTPAddr: cmp.Or(os.Getenv("INBOX_HTTP_ADDR"), "127.0.0.1:8025"),
		Dir:      cmp.Or(os.Getenv("INBOX_DIR"), "inbox"),
		Pages:    standIn.Register,
	}, log)
	if err != nil {
		return err
	}
	return in.Run(ctx)
}
