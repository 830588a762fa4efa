package oneprocess

import (
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// record keeps the end of what the services warn of, for when a test fails. With
// ONEPROCESS_LOG=1 it keeps everything they log.
type record struct {
	mu    sync.Mutex
	lines []string
	level slog.Level
}

// keptLines are the last ones of each world; what repeats is kept once.
const keptLines = 60

func newRecord(t testing.TB) *record {
	r := &record{level: slog.LevelWarn}
	if os.Getenv("ONEPROCESS_LOG") != "" {
		r.level = slog.LevelInfo
	}
	t.Cleanup(func() {
		if t.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Logf("what the services logged:\n%s", strings.Join(r.lines, ""))
		}
	})
	return r
}

var lasted = regexp.MustCompile(` duration_ms=\d+`)

// of is the logger of a service.
func (r *record) of(service string) *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: r.level, ReplaceAttr: withoutRealTime})).With("service", service)
}

// withoutRealTime leaves out when a line was written: the world has another time.
func withoutRealTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (r *record) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := lasted.ReplaceAllString(string(line), ""); len(r.lines) > 0 && slices.Contains(r.lines[max(0, len(r.lines)-8):], text) {
		return len(line), nil
	}
	if len(r.lines) == keptLines {
		r.lines = r.lines[1:]
	}
	r.lines = append(r.lines, lasted.ReplaceAllString(string(line), ""))
	return len(line), nil
}
