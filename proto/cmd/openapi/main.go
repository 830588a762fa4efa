// Command openapi writes the OpenAPI documents that the edge serves, one for each
// listener: what protoc-gen-openapiv2 made of the contracts, as OpenAPI 3.0, with
// the limits that requests are held to, the errors that comments name, the calls
// that are no RPC, and examples. Its one argument is the module's folder.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"makegood.example/proto/openapi"
)

// tree is a JSON object.
type tree = map[string]any

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	swagger := filepath.Join(dir, "gen", "makegood.swagger.json")
	raw, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	var two, added tree
	var errs errorTexts
	var examples []openapi.Example
	if err := json.Unmarshal(raw, &two); err != nil {
		return err
	}
	for file, into := range map[string]any{"added.json": &added, "errors.json": &errs, "examples.json": &examples} {
		if err := read(filepath.Join(dir, "openapi", file), into); err != nil {
			return err
		}
	}
	paths, schemas := convert(two)
	if err := errors.Join(describeAll(paths, errs), limit(paths, schemas)); err != nil {
		return err
	}
	doc := tree{"paths": paths, "components": tree{"schemas": schemas}, "x-errors": errs.Common}
	merge(doc, added)
	if err := addExamples(paths, examples); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "gen", "public.openapi.json"), part(doc, func(path string) bool { return !strings.HasPrefix(path, adminPrefix) })); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "gen", "admin.openapi.json"), ofAdmin(part(doc, func(path string) bool { return strings.HasPrefix(path, adminPrefix) }))); err != nil {
		return err
	}
	return os.Remove(swagger) // it says less than these, and not all of it is true
}

// read reads a file that people write, in which a misspelt name is an error.
func read(file string, into any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return nil
}

func write(file string, doc tree) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// operations calls a function with each operation, its path and its method.
func operations(paths tree, do func(path, method string, op tree)) {
	for path, methods := range paths {
		for method, op := range methods.(tree) {
			do(path, method, op.(tree))
		}
	}
}

// merge puts what people wrote over what was generated: objects are merged,
// parameters are added, and anything else is replaced.
func merge(into, from tree) {
	for key, value := range from {
		switch v := value.(type) {
		case tree:
			if old, ok := into[key].(tree); ok {
				merge(old, v)
				continue
			}
		case []any:
			if old, ok := into[key].([]any); ok && key == "parameters" {
				into[key] = append(v, old...)
				continue
			}
		}
		into[key] = value
	}
}
