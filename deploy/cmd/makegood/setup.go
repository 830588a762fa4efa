package main

import (
	"context"
	"fmt"
	"os"

	"makegood.example/services/platform/postgres"
)

// setup installs what a fresh machine lacks, or names what to install.
func setup(ctx context.Context, _ []string) error {
	bin, err := postgres.Ensure(ctx, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Println("PostgreSQL:", bin)
	return nil
}
