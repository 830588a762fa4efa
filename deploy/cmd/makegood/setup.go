package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

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
	if chrome, err := chromium.Ensure(ctx, os.Stdout); err != nil {
		fmt.Println("Browser: the tests in a browser will fail:", err)
	} else {
		fmt.Println("Browser:", chrome)
	}
	for _, p := range []struct{ program, aptPackage, tests string }{
		{"systemd-analyze", "systemd", "the units"},
		{"promtool", "prometheus", "the alert rules and the dashboard"},
		{"curl", "curl", "the commands of docs/integrate.md"},
	} {
		if err := ensure(ctx, p.program, p.aptPackage); err != nil {
			fmt.Printf("%s: the tests of %s will fail: %v\n", p.program, p.tests, err)
		}
	}
	return nil
}

// ensure installs a program with apt where that is allowed, else names what to
// install. Nothing of its package is run.
func ensure(ctx context.Context, program, aptPackage string) error {
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	remedy := "apt-get update && apt-get install -y --no-install-recommends " + aptPackage
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return errors.New("it is missing; as root on Debian: " + remedy)
	}
	fmt.Println(program, "is missing, installing it with apt")
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", remedy)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
