package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"makegood.example/deploy/internal/backup"
	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/postgres"
)

// saveBackup is makegood backup [-keep N] FOLDER.
func saveBackup(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("backup", flag.ContinueOnError)
	keep := flags.Int("keep", 48, "how many dumps are kept")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	if flags.NArg() != 1 || *keep < 1 {
		fmt.Fprintln(os.Stderr, "usage: makegood backup [-keep N] FOLDER")
		return errUsage
	}
	tools, err := backupTools()
	if err != nil {
		return err
	}
	file, err := tools.Save(ctx, flags.Arg(0), time.Now(), *keep)
	if err != nil {
		return err
	}
	fmt.Println("wrote", file)
	return nil
}

// restoreBackup is makegood restore DUMP.
func restoreBackup(ctx context.Context, args []string) error {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: makegood restore DUMP\nStop the services first, and run makegood migrate afterwards.")
		return errUsage
	}
	tools, err := backupTools()
	if err != nil {
		return err
	}
	if err := tools.Restore(ctx, args[0]); err != nil {
		return err
	}
	fmt.Println("restored", args[0]+"; now run makegood migrate and start the services: what is newer is read at Stripe")
	return nil
}

func backupTools() (backup.Tools, error) {
	url, err := ownerURL()
	if err != nil {
		return backup.Tools{}, err
	}
	if url == "" {
		return backup.Tools{}, errors.New("DATABASE_URL is not set")
	}
	bin, err := postgres.Locate()
	if err != nil {
		bin = "" // the server may be elsewhere, and its tools in PATH
	}
	tools := backup.Tools{Bin: bin, URL: url}
	for _, schema := range stack.Schemas {
		tools.Schemas = append(tools.Schemas, schema.Name)
	}
	return tools, nil
}
