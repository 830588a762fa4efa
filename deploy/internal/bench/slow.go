package bench

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

//go:embed preload/slowsync.c
var slowSync []byte

// buildSlowSync compiles the library that makes syncs slower and returns where
// it is, or why there is none. It lies where PostgreSQL's user can read it.
func buildSlowSync(ctx context.Context) (library, why string, remove func()) {
	remove = func() {}
	if runtime.GOOS != "linux" {
		return "", "it takes LD_PRELOAD, which this system does not have", remove
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	if _, err := exec.LookPath(cc); err != nil {
		return "", "it takes a C compiler (apt-get install gcc libc6-dev)", remove
	}
	dir, err := os.MkdirTemp("", "makegood-bench-")
	if err != nil {
		return "", err.Error(), remove
	}
	remove = func() { _ = os.RemoveAll(dir) }
	library = filepath.Join(dir, "slowsync.so")
	cmd := exec.CommandContext(ctx, cc, "-shared", "-fPIC", "-O2", "-x", "c", "-o", library, "-", "-ldl")
	cmd.Stdin = bytes.NewReader(slowSync)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Sprintf("the C compiler failed: %v: %s", err, bytes.TrimSpace(out)), remove
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err.Error(), remove
	}
	return library, "", remove
}
