package main

import (
	"context"
	"fmt"
	"os"

	"makegood.example/deploy/internal/bench"
)

// measure runs the benchmark; FULL=1, QUICK=1 and PEER=1 say how much of it, PART
// names one part.
func measure(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == bench.PlainServer {
		return bench.RunPlain(ctx)
	}
	dir, err := stateDir()
	if err != nil {
		return err
	}
	report, err := bench.Run(ctx, bench.Options{
		Dir: dir, Env: os.Environ(), Out: os.Stdout,
		Full: os.Getenv("FULL") == "1", Quick: os.Getenv("QUICK") == "1", Peer: os.Getenv("PEER") == "1", Part: os.Getenv("PART"),
	})
	if err != nil {
		return err
	}
	fmt.Println("this report is kept in", report)
	return nil
}
