package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version with everything the services rely on.
const oldest = 15

// Locate finds the directory with the programs of a PostgreSQL server: $PG_BIN,
// Debian's place, Homebrew, Postgres.app, PATH, and what Ensure once installed.
// The error names the remedy.
func Locate() (string, error) {
	found := candidates()
	if len(found) > 0 {
		return found[0], nil
	}
	if bin := os.Getenv("PG_BIN"); bin != "" {
		return "", fmt.Errorf("postgres: PG_BIN is %s, but there is no initdb and postgres of version %d or newer in it that the server's user can reach", bin, oldest)
	}
	return "", errors.New("postgres: no PostgreSQL server found; " + remedy())
}

// candidates are all usable directories, the preferred first. PG_BIN stands alone.
func candidates() []string {
	if bin := os.Getenv("PG_BIN"); bin != "" {
		return slices.DeleteFunc([]string{bin}, unusable)
	}
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, _ := filepath.Glob(pattern)
		slices.SortFunc(matches, func(a, b string) int { return cmp.Compare(versionInPath(b), versionInPath(a)) })
		dirs = append(dirs, matches...)
	}
	if program, err := exec.LookPath("postgres"); err == nil {
		// Behind a link, because initdb finds its own files relative to itself.
		if real, err := filepath.EvalSymlinks(program); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	if dir, err := npmBin(); err == nil {
		dirs = append(dirs, dir)
	}
	return slices.DeleteFunc(dirs, unusable)
}

var digits = regexp.MustCompile(`\d+`)

// versionInPath orders directories of several versions, newest first.
func versionInPath(dir string) int {
	n, _ := strconv.Atoi(digits.FindString(dir))
	return n
}

// unusable also rules out programs that the server's user cannot reach, such as
// an own build under /root.
func unusable(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return true
	}
	if a, err := serverAccount(""); err != nil || !a.canEnter(dir) {
		return true
	}
	v, err := majorVersion(context.Background(), dir)
	return err != nil || v < oldest
}

// majorVersion asks the server program, which answers "postgres (PostgreSQL) 15.13 (…)".
func majorVersion(ctx context.Context, bin string) (int, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("postgres: %s: %w", bin, err)
	}
	_, after, _ := strings.Cut(string(out), ")")
	return strconv.Atoi(digits.FindString(after))
}

// matchVersion picks programs of the version that wrote the data, if there is
// data: a newer server does not read an older one's files.
func (c *Cluster) matchVersion(ctx context.Context) error {
	written, err := os.ReadFile(filepath.Join(c.dataDir(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	want, err := strconv.Atoi(strings.TrimSpace(string(written)))
	if err != nil {
		return fmt.Errorf("postgres: %s: %w", c.dataDir(), err)
	}
	for _, bin := range append([]string{c.bin}, candidates()...) {
		if v, err := majorVersion(ctx, bin); err == nil && v == want {
			c.bin = bin
			return nil
		}
	}
	return fmt.Errorf("postgres: the data in %s was written by PostgreSQL %d, which is not installed; install postgresql-%d, or remove that folder to start afresh", c.opts.Dir, want, want)
}
