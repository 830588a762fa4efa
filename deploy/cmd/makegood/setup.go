package main

import (
	"context"
	"fmt"
	"os"

	"makegood.example/services/platform/chromium"
	"makegood.example/services/platform/postgres"
)

// setup installs what a fresh machine lacks, or names what to install. Without
// a browser only the tests in one fail, so its absence ends nothing here.
func setup(ctx context.Context, _ []string) error {
	bin, err := postgres.Ensure(ctx, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Println("PostgreSQL:", bin)
	chrome, err := chromium.Ensure(ctx, os.Stdout)
	if err != nil {
		fmt.Println("Browser: the tests in a browser will fail:", err)
		return nil
	}
	fmt.Println("Browser:", chrome)
	return nil
}
