package upgradelab

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"makegood.example/deploy/internal/stack"
)

//go:embed BASELINE
var baselineFile string

// Baseline is the release from which upgrades are tried; before the first, a commit
// that stands for it.
type Baseline struct {
	// Commit is its full hash.
	Commit string
	// Versions are the last migrations of its schemas, by service.
	Versions map[string]int64
}

// TheBaseline reads the file BASELINE.
func TheBaseline() (Baseline, error) {
	b := Baseline{Versions: map[string]int64{}}
	for line := range strings.Lines(baselineFile) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
		case len(fields) == 2 && fields[0] == "commit":
			b.Commit = fields[1]
		default:
			version, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
			if len(fields) != 2 || err != nil {
				return b, fmt.Errorf("BASELINE: %q is no schema with its last migration", strings.TrimSpace(line))
			}
			b.Versions[fields[0]] = version
		}
	}
	if len(b.Commit) != 40 {
		return b, errors.New("BASELINE names no full commit hash")
	}
	for _, s := range stack.Schemas {
		if b.Versions[s.Name] == 0 {
			return b, fmt.Errorf("BASELINE says nothing of %s", s.Name)
		}
	}
	return b, nil
}

// build compiles the baseline's programs from the history, unless an earlier
// run did, and returns their folder. Its tree stays beside them.
func (b Baseline) build(ctx context.Context, dir string) (bin string, err error) {
	root, err := stack.Workspace(ctx)
	if err != nil {
		return "", err
	}
	home := filepath.Join(dir, b.Commit)
	tree, bin := filepath.Join(home, "src"), filepath.Join(home, "bin")
	if _, err := os.Stat(bin); err != nil {
		if err := os.RemoveAll(home); err != nil {
			return "", err
		}
		if err := b.unpack(ctx, root, tree); err != nil {
			return "", err
		}
		building := bin + ".new" // its last name says that all are there
		if err := stack.BuildFrom(ctx, tree, building, "./deploy/cmd/makegood"); err != nil {
			return "", err
		}
		if err := os.Rename(building, bin); err != nil {
			return "", err
		}
	}
	return bin, b.compare(tree, root)
}

func (b Baseline) unpack(ctx context.Context, root, tree string) error {
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	archive := exec.CommandContext(ctx, "git", "-c", "safe.directory="+root, "-C", root, "archive", b.Commit)
	unpack := exec.CommandContext(ctx, "tar", "-x", "-C", tree)
	var said bytes.Buffer
	archive.Stderr, unpack.Stderr = &said, &said
	var err error
	if unpack.Stdin, err = archive.StdoutPipe(); err != nil {
		return err
	}
	if err := archive.Start(); err != nil {
		return err
	}
	if err := errors.Join(unpack.Run(), archive.Wait()); err != nil {
		return fmt.Errorf("the tree of %s cannot be had: %w\n%s", b.Commit, err, said.Bytes())
	}
	return nil
}

// compare holds what was released against the tree as it is: a migration that
// was applied somewhere is never edited, renamed or taken away, new ones come
// after it, and BASELINE names the last.
func (b Baseline) compare(old, now string) error {
	for service, last := range b.Versions {
		folder := filepath.Join("services", service, "internal", "store", "migrations")
		released, err := filepath.Glob(filepath.Join(old, folder, "*.sql"))
		if err != nil {
			return err
		}
		highest, known := int64(0), map[string]bool{}
		for _, file := range released {
			name := filepath.Base(file)
			known[name] = true
			was, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			is, err := os.ReadFile(filepath.Join(now, folder, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if !bytes.Equal(was, is) {
				return fmt.Errorf("%s of %s was released, and is another now", name, service)
			}
			version, err := goose.NumericComponent(name)
			if err != nil {
				return err
			}
			highest = max(highest, version)
		}
		if highest != last {
			return fmt.Errorf("the last migration of %s at the baseline is %d, BASELINE says %d", service, highest, last)
		}
		added, err := newerThan(stack.Schemas, service, 0)
		if err != nil {
			return err
		}
		for _, m := range added {
			if m.version <= last && !known[m.name] {
				return fmt.Errorf("%s of %s is new, and comes before what was released", m.name, service)
			}
		}
	}
	return nil
}
