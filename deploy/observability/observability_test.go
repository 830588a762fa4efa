// Package observability tests the alert rules and the dashboard: with promtool, and
// against what the processes tell, as docs/metrics.md lists it.
package observability

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRules(t *testing.T) {
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing. Remedy: apt-get install prometheus, as root")
	}
	for _, args := range [][]string{
		{"check", "rules", "recording.rules.yml", "alerts.rules.yml"},
		{"test", "rules", "rules_test.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

var metric = regexp.MustCompile(`makegood_[a-z_]+`)

// parts are what a histogram is told in.
var parts = regexp.MustCompile(`_(bucket|sum|count)$`)

// told are the metrics that docs/metrics.md lists; a test of each service holds it to
// what is really told.
func told(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, line := range strings.Split(read(t, "../../docs/metrics.md"), "\n") {
		if name := metric.FindString(line); strings.HasPrefix(line, "| `makegood_") {
			names[name] = true
		}
	}
	return names
}

func wantTold(t *testing.T, where, text string) {
	t.Helper()
	known := told(t)
	for _, name := range metric.FindAllString(text, -1) {
		if !known[name] && !known[parts.ReplaceAllString(name, "")] {
			t.Errorf("%s asks for %s, which no process tells", where, name)
		}
	}
}

var alerts = regexp.MustCompile(`- alert: (\w+)`)

// TestEveryAlertCanBeActedOn: each alert asks for what is told, is shown firing, and
// has an entry in the runbook that says what to look at and what to do; and nothing
// else has one.
func TestEveryAlertCanBeActedOn(t *testing.T) {
	rules, tests, runbook := read(t, "alerts.rules.yml"), read(t, "rules_test.yml"), read(t, "../../docs/runbook.md")
	wantTold(t, "the alert rules", rules)
	wantTold(t, "the recording rules", read(t, "recording.rules.yml"))
	entries := strings.Split(runbook, "\n## ")[1:]
	var named []string
	for _, found := range alerts.FindAllStringSubmatch(rules, -1) {
		name := found[1]
		named = append(named, name)
		if !strings.Contains(tests, "- name: "+name+"\n") || !strings.Contains(tests, "alertname: "+name+", exp_alerts: []") {
			t.Errorf("%s is not shown firing and not firing", name)
		}
		i := slices.IndexFunc(entries, func(e string) bool { return strings.HasPrefix(e, name+"\n") })
		if i < 0 {
			t.Errorf("%s is not in the runbook", name)
			continue
		}
		severity := regexp.MustCompile(`(?s)- alert: ` + name + `\n.*?severity: (\w+)`).FindStringSubmatch(rules)[1]
		for _, part := range []string{"*" + severity + ".*", "\nLook: ", "\nDo: "} {
			if !strings.Contains(entries[i], part) {
				t.Errorf("the runbook's entry for %s lacks %q", name, strings.TrimSpace(part))
			}
		}
		if !strings.Contains(rules, "docs/runbook.md#"+strings.ToLower(name)) {
			t.Errorf("%s does not name its entry", name)
		}
	}
	for _, e := range entries {
		if name, _, _ := strings.Cut(e, "\n"); !slices.Contains(named, name) {
			t.Errorf("the runbook has an entry for %s, which is no alert", name)
		}
	}
}

// TestDashboard: it can be imported, and each panel asks a question that has a title
// and an answer.
func TestDashboard(t *testing.T) {
	text := read(t, "dashboard.json")
	var d struct {
		Title  string `json:"title"`
		UID    string `json:"uid"`
		Panels []struct {
			ID          int    `json:"id"`
			Title       string `json:"title"`
			Description string `json:"description"`
			Type        string `json:"type"`
			Targets     []struct {
				Expr         string `json:"expr"`
				LegendFormat string `json:"legendFormat"`
			} `json:"targets"`
			FieldConfig struct{ Defaults struct{ Unit string } } `json:"fieldConfig"`
			GridPos     struct{ H, W, X, Y int }                 `json:"gridPos"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || len(d.Panels) < 10 {
		t.Fatalf("%+v", d)
	}
	wantTold(t, "the dashboard", text)
	recorded := read(t, "recording.rules.yml")
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		if !strings.HasSuffix(p.Title, "?") || p.Description == "" || p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("panel %q has no question, no words about its answer, or no unit", p.Title)
		}
		for _, target := range p.Targets {
			if p.Type == "timeseries" && target.LegendFormat == "" {
				t.Errorf("a line of %q has no name", p.Title)
			}
			for _, name := range regexp.MustCompile(`makegood:[a-z0-9_:]+`).FindAllString(target.Expr, -1) {
				if !strings.Contains(recorded, "record: "+name+"\n") {
					t.Errorf("%q asks for %s, which is not recorded", p.Title, name)
				}
			}
		}
	}
}
