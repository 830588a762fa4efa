package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"makegood.example/deploy/internal/bench/plain"
)

// PlainServer is the argument by which the program becomes the plain endpoint,
// a process of its own like everything that it is compared with.
const PlainServer = "plain-server"

// child is a process that ends with us and has told its address.
type child struct {
	addr string
	stop func()
}

// startChild runs a server that prints its address as its first line, and ends
// when its standard input does.
func startChild(ctx context.Context, cmd *exec.Cmd) (*child, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() {
		_ = in.Close()
		impatient := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer impatient.Stop()
		_ = cmd.Wait()
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		stop()
		return nil, fmt.Errorf("%s did not start: %w\n%s", cmd.Path, err, complaints.String())
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return &child{addr: strings.TrimSpace(line), stop: stop}, nil
}

// startPlain runs the plain endpoint on a database.
func startPlain(ctx context.Context, databaseURL, secret string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "bench", PlainServer)
	cmd.Env = append(os.Environ(), "BENCH_DATABASE_URL="+databaseURL, "BENCH_WEBHOOK_SECRET="+secret)
	return startChild(ctx, cmd)
}

// RunPlain is that process: it serves until its standard input ends.
func RunPlain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err := plain.Run(ctx, os.Getenv("BENCH_DATABASE_URL"), os.Getenv("BENCH_WEBHOOK_SECRET"), os.Stdout)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
