package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"

	"makegood.example/deploy/internal/bench"
)

// measure runs the benchmark; FULL=1, QUICK=1 and PEER=1 say how much of it, PART
// names one part, HISTORY how many purchases are behind the sweeps.
func measure(ctx context.Context, args []string) error {
	if len(args) == 1 && args[0] == bench.PlainServer {
		return bench.RunPlain(ctx)
	}
	dir, err := stateDir()
	if err != nil {
		return err
	}
	history, err := strconv.Atoi(cmp.Or(os.Getenv("HISTORY"), "0"))
	if err != nil || history < 0 {
		return fmt.Errorf("HISTORY=%s is no number of purchases", os.Getenv("HISTORY"))
	}
	report, err := bench.Run(ctx, bench.Options{
		Dir: dir, Env: os.Environ(), Out: os.Stdout,
		Full: os.Getenv("FULL") == "1", Quick: os.Getenv("QUICK") == "1", Peer: os.Getenv("PEER") == "1", Part: os.Getenv("PART"), History: history,
	})
	if err != nil {
		return err
	}
	fmt.Println("this report is kept in", report)
	return nil
}
