// Package licences lists what our programs are built from and under which licences.
package licences

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed may be part of a closed product, with their notices kept.
var allowed = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0", "0BSD", "Unlicense", "CC0-1.0"}

// Module is a part of our programs that others wrote.
type Module struct {
	Path, Version string
	// Licences are SPDX identifiers.
	Licences []string
}

// file is how licences are named.
var file = regexp.MustCompile(`(?i)^(licen[cs]e|copying)([.-].*)?$`)

// List reads the modules of which something is in one of the packages, built for
// Linux on that architecture, sorted by path. A module without a licence that may
// be used is an error.
func List(ctx context.Context, architecture string, packages ...string) ([]Module, error) {
	args := append([]string{"list", "-deps", "-json=Module,Standard"}, packages...)
	list := exec.CommandContext(ctx, "go", args...)
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+architecture, "CGO_ENABLED=0")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	found := map[string]Module{}
	var errs []error
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Standard bool
			Module   *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		m := p.Module
		if m == nil || p.Standard || strings.HasPrefix(m.Path, "makegood.example/") {
			continue
		}
		if _, known := found[m.Path]; known {
			continue
		}
		licences, err := read(m.Dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.Path, err))
		}
		found[m.Path] = Module{Path: m.Path, Version: m.Version, Licences: licences}
	}
	var modules []Module
	for _, m := range found {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return modules, errors.Join(errs...)
}

// read finds the licences of the module in dir.
func read(dir string) (ids []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() || !file.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		for _, match := range licensecheck.Scan(text).Match {
			if match.IsURL || slices.Contains(ids, match.ID) {
				continue
			}
			ids = append(ids, match.ID)
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("no licence was found")
	}
	for _, id := range ids {
		if slices.Contains(allowed, id) {
			slices.Sort(ids)
			return ids, nil
		}
	}
	return ids, fmt.Errorf("%v is none that may be used", ids)
}
