// Package demo plays one story on the separate processes, in a terminal: a
// customer pays, the server dies at the worst moment, and the customer gets
// what was paid for. It judges the outcome by what Stripe, the database and
// the mail server hold, not by what the services say of themselves.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"makegood.example/deploy/internal/stack"
)

// limit is how long the whole story may take; usually it is half of that.
const limit = 60 * time.Second

// Options say where the demo runs and to whom it speaks.
type Options struct {
	// Dir is the state folder of `make up`; the demo has a folder of its own in
	// it, and removes that again.
	Dir string
	// Env is the user's environment, KEY=value.
	Env []string
	// Out is the terminal.
	Out io.Writer
	// Color says whether Out shows colours.
	Color bool
}

// Run plays the story. It returns an error when the customer does not end with
// exactly one charge, one access and one email, or anything on the way was not
// as it is told.
func Run(ctx context.Context, opts Options) (err error) {
	dir, err := stack.OwnFolder(opts.Dir, "demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Remove(dir)) }()

	show := &screen{out: opts.Out, color: opts.Color}
	show.title("Makegood: a payment, a crash, and what the customer gets")
	show.text("Nine real processes on this machine: PostgreSQL, a Stripe simulator, a mail server, five services and the edge. " +
		"Every setting is the product's default, and nothing in the product knows that this is a demo.")
	show.text("Starting them takes a few seconds.")
	s, err := stack.Start(ctx, stack.Options{
		Dir: dir, BinDir: filepath.Join(opts.Dir, "bin"), Env: stack.MachineEnv(opts.Env), FreePorts: true,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop(context.WithoutCancel(ctx))) }()

	told, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the story did not end within %s", limit))
	defer cancel()
	st := &story{world: world{stack: s, reference: uuid.NewString()}, show: show}
	if err := st.tell(told); err != nil {
		if cause := context.Cause(told); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w (%w)", cause, err)
		}
		if ctx.Err() == nil {
			st.explain()
		}
		return err
	}
	return nil
}
