// Command makegood runs and maintains a Makegood installation on one machine:
// the development stack, its database, and what shows or proves it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // an image has no authorities of its own
)

// command is one verb of the program.
type command struct {
	name  string
	about string
	run   func(ctx context.Context, args []string) error
}

var commands = []command{
	{"up", "run everything in the foreground until Ctrl-C", up},
	{"demo", "play a purchase, a crash and the recovery, and judge the outcome", playDemo},
	{"crashlab", "kill and break everything wherever it writes, and judge the outcome", breakEverything},
	{"fleet", "run three of everything, kill, stop and cut them off under load, and judge the outcome", manyAtOnce},
	{"upgradelab", "upgrade from the baseline and roll back among customers, and judge the outcome", tryUpgrade},
	{"bench", "measure the webhook entrance beside what the machine could do", measure},
	{"setup", "install what running and testing need and is missing", setup},
	{"token", "make, list and revoke the credentials of people", keepTokens},
	{"certs", "make certificates for the services in GRPC_TLS_DIR, or renew them", makeCertificates},
	{"backup", "dump what is kept at DATABASE_URL into a folder", saveBackup},
	{"restore", "put a dump in the place of what is kept at DATABASE_URL", restoreBackup},
	{"migrate", "bring the database of DATABASE_URL up to date", migrateDatabase},
}

// errUsage means that the caller was told what went wrong.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := dispatch(ctx, os.Args[1:]); {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "makegood:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) > 0 {
		for _, c := range commands {
			if c.name == args[0] {
				return c.run(ctx, args[1:])
			}
		}
		fmt.Fprintf(os.Stderr, "makegood: there is no command %q\n", args[0])
	}
	fmt.Fprintln(os.Stderr, "usage: makegood <command>")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-11s %s\n", c.name, c.about)
	}
	return errUsage
}

// stateDir is the folder that holds everything a run leaves behind.
func stateDir() (string, error) {
	dir := os.Getenv("MAKEGOOD_DIR")
	if dir == "" {
		dir = ".makegood"
	}
	return filepath.Abs(dir)
}
