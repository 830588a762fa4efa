package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"

	"makegood.example/deploy/internal/crashlab"
)

// breakEverything runs the crash lab; FULL=1 says every fault, SEED chooses, ONLY
// names one path, and PART=2/8 does an eighth of the faults.
func breakEverything(ctx context.Context, _ []string) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	seed, err := seedOf(os.Getenv("SEED"))
	if err != nil {
		return err
	}
	part, err := crashlab.ParsePart(os.Getenv("PART"))
	if err != nil {
		return err
	}
	report, err := crashlab.Run(ctx, crashlab.Options{
		Dir: dir, Env: os.Environ(), Out: os.Stdout, Full: os.Getenv("FULL") == "1", Seed: seed, Only: os.Getenv("ONLY"), Part: part,
	})
	if report != "" {
		fmt.Println("the report with the timelines is", report)
	}
	return err
}

// seedOf is the seed that was given, or one of a million.
func seedOf(given string) (uint64, error) {
	if given == "" {
		return rand.Uint64N(1_000_000), nil
	}
	seed, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("SEED is not a number: %q", given)
	}
	return seed, nil
}
