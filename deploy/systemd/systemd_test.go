// Package systemd tests the units that run Makegood on one box, with systemd's own
// programs.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// instances are the processes that the template runs.
var instances = []string{"orders", "payments", "provisioning", "notifications", "reconciliation", "gateway"}

// install lays the units out as on a box, with programs that are only there.
func install(t *testing.T) (root string, units []string) {
	t.Helper()
	root = t.TempDir()
	etc, lib := filepath.Join(root, "etc/systemd/system"), filepath.Join(root, "usr/lib/makegood")
	for _, dir := range []string{etc, lib} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(etc, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	for _, program := range append([]string{"makegood"}, instances...) {
		if err := os.WriteFile(filepath.Join(lib, program), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, unit := range []string{"makegood-migrate.service", "makegood-backup.service"} {
		units = append(units, filepath.Join(etc, unit))
	}
	// As systemctl enable does for an instance.
	for _, i := range instances {
		link := filepath.Join(etc, "makegood@"+i+".service")
		if err := os.Symlink("makegood@.service", link); err != nil {
			t.Fatal(err)
		}
		units = append(units, link)
	}
	return root, units
}

func analyze(t *testing.T, args ...string) (said string, err error) {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is missing. Remedy: apt-get install systemd, as root")
	}
	out, err := exec.CommandContext(t.Context(), program, append([]string{"--no-pager"}, args...)...).CombinedOutput()
	return string(out), err
}

// TestUnitsAreSound: systemd itself finds nothing wrong in any of them.
func TestUnitsAreSound(t *testing.T) {
	root, units := install(t)
	units = append(units, filepath.Join(root, "etc/systemd/system/makegood.target"), filepath.Join(root, "etc/systemd/system/makegood-backup.timer"))
	for _, unit := range units {
		said, err := analyze(t, "verify", "--man=no", "--recursive-errors=no", "--root="+root, filepath.Base(unit))
		if err != nil || strings.Contains(said, "makegood") {
			t.Errorf("%s: %v\n%s", filepath.Base(unit), err, said)
		}
	}
}

// TestUnitsAreHardened: by systemd's own measure (0 is safest, 10 unsafe) each exposes
// less than 2.
func TestUnitsAreHardened(t *testing.T) {
	root, units := install(t)
	for _, unit := range units {
		// --threshold is in tenths.
		if said, err := analyze(t, "security", "--offline=true", "--root="+root, "--threshold=20", filepath.Base(unit)); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(unit), err, said)
		}
	}
}

// TestSecretsGoOnlyWhereTheyAreNeeded: the file that all processes read names no
// secret, and each secret is given to one.
func TestSecretsGoOnlyWhereTheyAreNeeded(t *testing.T) {
	all, err := os.ReadFile("makegood.env")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	drop, err := filepath.Glob("makegood@*.service.d/*.conf")
	if err != nil || len(drop) == 0 {
		t.Fatal(err)
	}
	for _, file := range drop {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`LoadCredential=\S+:/etc/makegood/secrets/(\S+)`).FindAllStringSubmatch(string(text), -1) {
			if other := given[found[1]]; other != "" {
				t.Errorf("%s goes to %s and %s", found[1], other, file)
			}
			given[found[1]] = file
		}
	}
	for _, secret := range []string{"STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "SMTP_URL", "DATABASE_URL"} {
		if strings.Contains(string(all), secret) {
			t.Errorf("makegood.env names %s", secret)
		}
		if file := strings.ReplaceAll(strings.ToLower(secret), "_", "-"); secret != "DATABASE_URL" && given[file] == "" {
			t.Errorf("no process is given %s", file)
		}
	}
}

// TestSettingsAreKnown: what the example sets is a setting.
func TestSettingsAreKnown(t *testing.T) {
	known, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile("makegood.env")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^([A-Z_]+)=`).FindAllStringSubmatch(string(all), -1) {
		if !strings.Contains(string(known), "`"+found[1]+"`") {
			t.Errorf("docs/settings.md does not name %s", found[1])
		}
	}
}
