package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"strings"

	"makegood.example/deploy/internal/stack"
)

// migrateDatabase is the only thing that ever changes the schemas; the
// services' passwords are kept in the state folder. With -urls, each service's
// way to its own schema is left in a folder, as <service>.url.
func migrateDatabase(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	urls := flags.String("urls", "", "a folder for each service's own database URL")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	url, err := ownerURL()
	if err != nil {
		return err
	}
	if url == "" {
		return errors.New("DATABASE_URL is not set; make up migrates its private database by itself")
	}
	dir, err := stateDir()
	if err != nil {
		return err
	}
	state, err := stack.OpenState(dir)
	if err != nil {
		return err
	}
	if err := stack.Migrate(ctx, url, state, slog.New(slog.NewTextHandler(os.Stdout, nil))); err != nil {
		return err
	}
	if *urls == "" {
		return nil
	}
	return stack.WriteServiceURLs(*urls, url, state)
}

// ownerURL is DATABASE_URL, or what the file DATABASE_URL_FILE says; empty for
// neither.
func ownerURL() (string, error) {
	if url := os.Getenv("DATABASE_URL"); url != "" {
		return url, nil
	}
	path := os.Getenv("DATABASE_URL_FILE")
	if path == "" {
		return "", nil
	}
	body, err := os.ReadFile(path)
	return strings.TrimSpace(string(body)), err
}
