package licences

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const page = "../../docs/licences.md"

// programs are those that run for customers.
var programs = []string{
	"makegood.example/deploy/cmd/makegood", "makegood.example/gateway/cmd/gateway",
	"makegood.example/services/orders/cmd/orders", "makegood.example/services/payments/cmd/payments",
	"makegood.example/services/provisioning/cmd/provisioning", "makegood.example/services/notifications/cmd/notifications",
	"makegood.example/services/reconciliation/cmd/reconciliation",
}

// TestTheListIsCurrent: docs/licences.md lists what the programs are built from. With
// LICENCES=write it is written.
func TestTheListIsCurrent(t *testing.T) {
	// What go list reads is unknown to the test cache; these say when it changes.
	for _, pattern := range []string{"../../*/go.mod", "../../services/*/go.mod"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	modules, err := List(t.Context(), "amd64", programs...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Licences\n\nWhat the programs that serve customers are built from, beside Go itself (BSD-3-Clause). A test keeps this list, and refuses a part whose licence may not be used; `LICENCES=write go test ./deploy/licences` writes it.\n\n| module | version | licence |\n|---|---|---|\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.Path, m.Version, strings.Join(m.Licences, ", "))
	}
	if os.Getenv("LICENCES") == "write" {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Errorf("docs/licences.md is not current: run LICENCES=write go test ./deploy/licences\n%s", b.String())
	}
}
