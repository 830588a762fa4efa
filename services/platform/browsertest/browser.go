// Package browsertest drives headless Chromium in tests: pages of any size, dark or
// without scripts, what went wrong in them, and pictures of them.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"makegood.example/services/platform/chromium"
)

// limit is how long anything may take that a test waits for: a loaded machine
// is slow, and only a broken page takes this long.
const limit = time.Minute

// Browser is one running Chromium.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// Start runs a browser until the test ends. A test without a browser fails.
func Start(t testing.TB) *Browser {
	t.Helper()
	program, err := chromium.Locate()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(profile(t)),
		chromedp.WSURLReadTimeout(limit),
		chromedp.DisableGPU,
		chromedp.Flag("no-sandbox", os.Geteuid() == 0), // root has no sandbox
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
	)...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return &Browser{t: t, ctx: ctx}
}

// For is the same browser for a subtest, which then is the one that fails, and
// ends the pages that it opened.
func (b *Browser) For(t testing.TB) *Browser { return &Browser{t: t, ctx: b.ctx} }

// profile is a folder that is removed when possible: a process of the browser
// may still write into it for a moment after the end.
func profile(t testing.TB) string {
	dir, err := os.MkdirTemp("", "makegood-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 {
			if os.RemoveAll(dir) == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return dir
}

// View is how a page is looked at. The zero value is a desktop window.
type View struct {
	Width, Height int64 // CSS pixels; 1200 × 800 when zero
	Phone         bool  // a touch screen, 390 × 844 unless sizes are given
	Dark          bool  // prefers-color-scheme: dark
	NoScripts     bool
	ReducedMotion bool
	Print         bool // as on paper
}

// Open is a new page with cookies and storage of its own.
func (b *Browser) Open(view View) *Page {
	b.t.Helper()
	return newPage(b.ctx, b.t, view, chromedp.WithNewBrowserContext())
}

// picturePath is where a picture is kept: $MAKEGOOD_PICTURES, else the test's
// own folder, which goes with the test.
func picturePath(t testing.TB, name string) (string, error) {
	dir := os.Getenv("MAKEGOOD_PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	path := filepath.Join(dir, name+".png")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("a place for pictures: %w", err)
	}
	return path, nil
}
