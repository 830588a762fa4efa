package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"makegood.example/deploy/internal/stack"
)

// makeCertificates fills GRPC_TLS_DIR, or renews what it made there before.
func makeCertificates(context.Context, []string) error {
	dir := os.Getenv("GRPC_TLS_DIR")
	if dir == "" || dir == "auto" {
		state, err := stateDir()
		if err != nil {
			return err
		}
		dir = filepath.Join(state, "tls")
	}
	until, err := stack.MakeCertificates(dir)
	if err != nil {
		return err
	}
	fmt.Printf("certificates of the five services and the gateway are in %s, good until %s\n", dir, until.UTC().Format(time.RFC3339))
	fmt.Println("processes that use the folder take them without a restart; renew them before they end")
	return nil
}
