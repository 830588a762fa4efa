package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"makegood.example/deploy/internal/stack"
)

// peerPackage is another implementation of "Stripe's events into PostgreSQL",
// in a version that is known to run here.
const peerPackage = "@supabase/stripe-sync-engine@0.48.5"

//go:embed peer/server.cjs
var peerServer []byte

// installPeer puts the peer into the state folder, once, from the registry that
// npm is configured for.
func (b *bench) installPeer(ctx context.Context) (dir string, err error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", errors.New("PEER=1 needs node and npm in PATH")
		}
	}
	dir = filepath.Join(b.opts.Dir, "bench", "peer")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "server.cjs"), peerServer, 0o644); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@supabase", "stripe-sync-engine")); err == nil {
		return dir, nil
	}
	b.say("installing %s with npm", peerPackage)
	cmd := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error", peerPackage)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install %s: %w\n%s", peerPackage, err, out)
	}
	return dir, nil
}

// startPeer runs the peer on the database of a stack, in a schema of its own.
func (b *bench) startPeer(ctx context.Context, s *stack.Stack, secret string) (*child, error) {
	dir, err := b.installPeer(ctx)
	if err != nil {
		return nil, err
	}
	// Its migrations name this role as the owner of what they make.
	if _, err := s.DB().Exec(ctx, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postgres') THEN CREATE ROLE postgres; END IF; END $$`); err != nil {
		return nil, err
	}
	cmd := exec.Command("node", "server.cjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "BENCH_DATABASE_URL="+s.Env("DATABASE_URL"), "BENCH_WEBHOOK_SECRET="+secret)
	return startChild(ctx, cmd)
}
