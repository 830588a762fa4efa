package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// judgeDashboard has a Prometheus read what the processes tell, and asks it what every
// panel of the dashboard asks: each must have an answer, in a shop in which people buy.
// Every rule must evaluate.
func judgeDashboard(t *testing.T, s *shop) {
	t.Helper()
	prometheus := startPrometheus(t, s.Env("METRICS_ADDR"))
	unanswered := map[string]string{} // the panel, by what it asks
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			unanswered[target.Expr] = p.Title
		}
	}
	if len(unanswered) < 20 {
		t.Fatalf("the dashboard asks %d questions", len(unanswered))
	}
	// A busy machine takes its time to read twice, and people buy in between.
	for n, deadline := 0, time.Now().Add(4*patience); len(unanswered) > 0; n++ {
		if time.Now().After(deadline) {
			t.Fatalf("no answer to %v", unanswered)
		}
		b := s.buyer(fmt.Sprintf("dashboard-%d", n))
		b.pays(t, card)
		b.awaitMail(t, "confirmation", "recovery")
		for expr := range unanswered {
			if prometheus.answers(t, expr) {
				delete(unanswered, expr)
			}
		}
	}
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	await(t, "the rules", func() bool { return prometheus.get(t, "/api/v1/rules", &rules) && len(rules.Data.Groups) > 0 })
	for _, group := range rules.Data.Groups {
		for _, rule := range group.Rules {
			if rule.Health == "err" {
				t.Errorf("%s: %s", rule.Name, rule.LastError)
			}
		}
	}
}

type panel struct {
	Title   string `json:"title"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

func panels(t *testing.T) []panel {
	t.Helper()
	body, err := os.ReadFile("../observability/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

// prometheusAt is the address of a running one.
type prometheusAt string

func startPrometheus(t *testing.T, target string) prometheusAt {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is missing. Remedy: apt-get install prometheus, as root")
	}
	rules, err := filepath.Abs("../observability")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: makegood
    honor_labels: true
    static_configs: [{targets: [%q]}]
`, filepath.Join(rules, "*.rules.yml"), target), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	told, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan string, 1), make(chan struct{})
	var log strings.Builder
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(told); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if at := regexp.MustCompile(`msg="Listening on" address=(\S+)`).FindStringSubmatch(lines.Text()); at != nil {
				listening <- at[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = server.Process.Kill()
		<-ended
		_ = server.Wait()
		if t.Failed() {
			t.Logf("Prometheus:\n%s", log.String())
		}
	})
	select {
	case at := <-listening:
		return prometheusAt("http://" + at)
	case <-ended:
		t.Fatalf("Prometheus does not start:\n%s", log.String())
	case <-time.After(patience):
		t.Fatal("Prometheus does not listen")
	}
	return ""
}

// get reads an answer; false while there is none.
func (p prometheusAt) get(t *testing.T, path string, into any) bool {
	t.Helper()
	client := http.Client{Timeout: patience}
	response, err := client.Get(string(p) + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusServiceUnavailable {
		return false // it starts
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return true
}

// answers says whether there is data.
func (p prometheusAt) answers(t *testing.T, expr string) bool {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Value []any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if !p.get(t, "/api/v1/query?query="+url.QueryEscape(expr), &answer) {
		return false
	}
	for _, series := range answer.Data.Result {
		if len(series.Value) == 2 && series.Value[1] != "NaN" {
			return true
		}
	}
	return false
}
