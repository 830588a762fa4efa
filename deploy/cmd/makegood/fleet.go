package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"makegood.example/deploy/internal/fleet"
)

// manyAtOnce runs the fleet; MINUTES says how long faults happen, SEED chooses them.
func manyAtOnce(ctx context.Context, _ []string) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	minutes, err := strconv.ParseFloat(cmp.Or(os.Getenv("MINUTES"), "5"), 64)
	if err != nil {
		return fmt.Errorf("MINUTES is not a number: %q", os.Getenv("MINUTES"))
	}
	seed := rand.Uint64N(1_000_000)
	if given := os.Getenv("SEED"); given != "" {
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			return fmt.Errorf("SEED is not a number: %q", given)
		}
	}
	report, err := fleet.Run(ctx, fleet.Options{
		Dir: dir, Env: os.Environ(), Out: os.Stdout, Length: time.Duration(minutes * float64(time.Minute)), Seed: seed,
	})
	if report != "" {
		fmt.Println("the report with all that happened is", report)
	}
	return err
}
