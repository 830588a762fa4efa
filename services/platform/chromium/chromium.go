// Package chromium finds a browser for the tests, and installs Debian's on a
// machine that has none.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
)

// aptLine also brings fonts: without them a picture of a page shows boxes.
const aptLine = "apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core fonts-noto-color-emoji"

// programs are looked for in this order, names in PATH.
var programs = []string{
	"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome",
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

// Locate finds Chromium or Chrome: $CHROME alone when it is set, else PATH and
// the usual places. The error names the remedy.
func Locate() (string, error) {
	if named := os.Getenv("CHROME"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("chromium: CHROME: %w", err)
		}
		return path, nil
	}
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium: no browser found; " + remedy())
}

// Ensure locates a browser, or installs Debian's when it may.
func Ensure(ctx context.Context, out io.Writer) (string, error) {
	path, err := Locate()
	if err == nil || os.Getenv("CHROME") != "" || os.Geteuid() != 0 || !hasApt() {
		return path, err
	}
	fmt.Fprintln(out, "Chromium is missing, installing it with apt")
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", aptLine)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("chromium: install with apt: %w; the line to run as root is:\n  %s", err, aptLine)
	}
	return Locate()
}

func hasApt() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil
}

func remedy() string {
	switch {
	case hasApt():
		return "run this as root:\n  " + aptLine
	case runtime.GOOS == "darwin":
		return "run:\n  brew install --cask chromium"
	}
	return "install Chromium or Chrome, or set CHROME to its program"
}
