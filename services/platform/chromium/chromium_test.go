package chromium

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	usual := programs
	defer func() { programs = usual }()
	programs = []string{"chromium", filepath.Join(dir, "Browser.app")}
	t.Setenv("CHROME", "")
	t.Setenv("PATH", dir)

	if _, err := Locate(); err == nil || !strings.Contains(err.Error(), "no browser found; ") {
		t.Errorf("without a browser: %v", err)
	}
	for _, name := range []string{"Browser.app", "chromium", "mine"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "mine" {
			t.Setenv("CHROME", filepath.Join(dir, name))
		}
		if got, err := Locate(); err != nil || got != filepath.Join(dir, name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	t.Setenv("CHROME", filepath.Join(dir, "gone"))
	if got, err := Locate(); err == nil {
		t.Errorf("a CHROME that is not there, and %q was taken instead", got)
	}
}
