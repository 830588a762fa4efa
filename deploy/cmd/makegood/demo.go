package main

import (
	"context"
	"os"

	"makegood.example/deploy/internal/demo"
)

// playDemo tells the story on the terminal.
func playDemo(ctx context.Context, _ []string) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	info, err := os.Stdout.Stat()
	color := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	return demo.Run(ctx, demo.Options{Dir: dir, Env: os.Environ(), Out: os.Stdout, Color: color})
}
