package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"makegood.example/deploy/internal/stack"
)

// makeCertificates fills GRPC_TLS_DIR, or renews what it made there before: once,
// or again and again. With -each, every process also gets a folder of its own.
func makeCertificates(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("certs", flag.ContinueOnError)
	each := flags.String("each", "", "a folder with a folder for each process, of what that one needs")
	every := flags.Duration("every", 0, "how often they are renewed; once, without it")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	dir := os.Getenv("GRPC_TLS_DIR")
	if dir == "" || dir == "auto" {
		state, err := stateDir()
		if err != nil {
			return err
		}
		dir = filepath.Join(state, "tls")
	}
	for {
		until, err := stack.MakeCertificates(dir)
		if err == nil && *each != "" {
			err = stack.ShareCertificates(dir, *each)
		}
		if err != nil {
			return err
		}
		fmt.Printf("certificates of the five services and the gateway are in %s, good until %s\n", dir, until.UTC().Format(time.RFC3339))
		if *every <= 0 {
			fmt.Println("processes that use the folder take them without a restart; renew them before they end")
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(*every):
		}
	}
}
