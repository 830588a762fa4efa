package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Workspace is the folder of the go.work around the working directory.
func Workspace(ctx context.Context) (root string, err error) {
	workspace, err := exec.CommandContext(ctx, "go", "env", "GOWORK").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOWORK: %w", err)
	}
	if root = filepath.Dir(strings.TrimSpace(string(workspace))); root == "." {
		return "", errors.New("the programs can only be built inside the workspace (go.work)")
	}
	return root, nil
}

// Build compiles every program that a stack runs into bin, from the workspace
// around the working directory. Tests use it; `make up` does the same.
func Build(ctx context.Context, bin string) error {
	root, err := Workspace(ctx)
	if err != nil {
		return err
	}
	return BuildFrom(ctx, root, bin, "./deploy/cmd/stripesim", "./deploy/cmd/inbox")
}

// BuildFrom compiles the five services, the edge and what else is named of the
// tree at root into bin.
func BuildFrom(ctx context.Context, root, bin string, more ...string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	args := append([]string{"build", "-buildvcs=false", "-o", bin + string(filepath.Separator), "./gateway/cmd/gateway"}, more...)
	for _, service := range services {
		args = append(args, "./services/"+service+"/cmd/"+service)
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = root
	build.Env = append(os.Environ(), "GOWORK=") // the one of this tree
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
