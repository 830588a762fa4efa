package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"maps"
	"os"
	"strings"

	"makegood.example/deploy/internal/stack"
)

// migrateDatabase is the only thing that ever changes the schemas; the
// services' passwords are those of their own database URLs, where these are
// given, else kept in the state folder. With -urls, each service's way to its
// own schema is left in a folder, as <service>.url.
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
	state, err := migrationState(url)
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

// migrationState is what a migration must know. A place that gives every service
// its database URL, and may keep no files, needs no state folder.
func migrationState(url string) (stack.State, error) {
	passwords, err := stack.RolePasswords(url, os.LookupEnv)
	if err != nil || len(passwords) == len(stack.Schemas) {
		return stack.State{DatabasePasswords: passwords}, err
	}
	dir, err := stateDir()
	if err != nil {
		return stack.State{}, err
	}
	state, err := stack.OpenState(dir)
	if err != nil {
		return stack.State{}, err
	}
	maps.Copy(state.DatabasePasswords, passwords)
	return state, nil
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
