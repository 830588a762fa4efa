package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"makegood.example/deploy/internal/stack"
)

// migrateDatabase is the only thing that ever changes the schemas; the
// services' passwords are kept in the state folder.
func migrateDatabase(ctx context.Context, _ []string) error {
	url := os.Getenv("DATABASE_URL")
	if path := os.Getenv("DATABASE_URL_FILE"); url == "" && path != "" {
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		url = strings.TrimSpace(string(body))
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
	return stack.Migrate(ctx, url, state, slog.New(slog.NewTextHandler(os.Stdout, nil)))
}
