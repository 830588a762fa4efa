package main

import (
	"context"
	"os"

	"makegood.example/deploy/internal/upgradelab"
)

// tryUpgrade runs the upgrade lab; SEED chooses the orders.
func tryUpgrade(ctx context.Context, _ []string) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	seed, err := seedOf(os.Getenv("SEED"))
	if err != nil {
		return err
	}
	return upgradelab.Run(ctx, upgradelab.Options{Dir: dir, Env: os.Environ(), Out: os.Stdout, Seed: seed})
}
