package stack

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"makegood.example/services/platform/metrics"
)

// socketPathMost is how long the path of a socket may surely be.
const socketPathMost = 100

// measured are the processes that tell metrics.
var measured = append(slices.Clone(services), "gateway")

// placeMetrics gives each process a socket of its own for its metrics: the one
// METRICS_ADDR is where we serve them all.
func (s *Stack) placeMetrics() error {
	if s.Env("METRICS_ADDR") == "" {
		return nil
	}
	s.sockets = map[string]string{}
	dir := filepath.Join(s.dir, "run")
	for _, name := range measured {
		if len(filepath.Join(dir, name+".metrics")) > socketPathMost {
			var err error
			if dir, err = os.MkdirTemp("", "makegood-metrics-"); err != nil {
				return err
			}
			s.socketDir = dir
			break
		}
	}
	for _, name := range measured {
		s.sockets[name] = "unix:" + filepath.Join(dir, name+".metrics")
	}
	return nil
}

// serveMetrics answers for all processes until Stop.
func (s *Stack) serveMetrics() {
	if s.sockets == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	log := slog.New(slog.NewTextHandler(s.out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	go func() {
		defer close(ended)
		if err := metrics.Serve(ctx, s.Env("METRICS_ADDR"), metrics.Merge(s.sockets), log); err != nil {
			s.say("metrics are not served: %v", err)
		}
	}()
	s.stopMetrics = func() {
		cancel()
		<-ended
		for _, name := range measured { // a killed process leaves its own
			os.Remove(s.sockets[name][len("unix:"):])
		}
		if s.socketDir != "" {
			os.Remove(s.socketDir)
		}
	}
}
