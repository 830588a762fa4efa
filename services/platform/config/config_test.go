package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"makegood.example/services/platform/config"
)

func reader(env map[string]string) *config.Reader {
	return config.NewReader(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
}

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryProblemIsListed(t *testing.T) {
	r := reader(map[string]string{
		"D": "soon", "D0": "0s", "DN": "-5s", "DO": "never", "I": "many", "I0": "0", "B": "perhaps", "U": "ftp://example.com", "U2": "example.com",
		"L": "0.0.0.0:1", "L2": "example.com:1", "L3": "9101", "S_FILE": filepath.Join(t.TempDir(), "none"), "E_FILE": secretFile(t, " \n"),
	})
	if d := r.Duration("D", time.Second); d != time.Second {
		t.Errorf("%s", d)
	}
	r.Duration("D0", time.Second)
	r.Duration("DN", time.Second)
	r.DurationOrOff("DO", time.Second)
	r.Int("I", 1, 1)
	r.Int("I0", 1, 1)
	r.Bool("B", true)
	r.URL("U", "")
	r.URL("U2", "")
	r.Loopback("L", "", "")
	r.Loopback("L2", "", "")
	r.Loopback("L3", "", "")
	_ = r.String("S", "")
	r.Required("E", "an empty secret is none")
	r.Required("N", "what it is for")
	r.Problem("own %d", 42)
	err := r.Err()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{`D="soon"`, `D0="0s"`, `DN="-5s"`, `DO="never"`, `I="many"`, `I0="0"`, `B="perhaps"`, `U="ftp:`, `U2="example.com"`,
		`L="0.0.0.0:1"`, `L2="example.com:1"`, `L3="9101"`, "S_FILE cannot be read", "E_FILE", "N is not set: what it is for", "own 42"} {
		if !strings.Contains(err.Error(), "\n  - "+part) {
			t.Errorf("not listed: %s\nin %v", part, err)
		}
	}
}

func TestWhatIsReadAndItsDefaults(t *testing.T) {
	r := reader(map[string]string{
		"S": " text ", "EMPTY": "  ", "LIST": "a, b,,c ", "D": "90s", "OFF": "OFF", "I": "7", "B": "true",
		"U": "https://example.com/shop/", "L": "[::1]:0", "SECRET_FILE": secretFile(t, "from the file\n"), "BOTH": "from the environment", "BOTH_FILE": secretFile(t, "no"),
	})
	for what, ok := range map[string]bool{
		"trimmed":     r.String("S", "x") == "text",
		"empty":       r.String("EMPTY", "x") == "x",
		"unset":       r.String("NONE", "x") == "x",
		"list":        strings.Join(r.List("LIST"), "|") == "a|b|c",
		"no list":     len(r.List("NONE")) == 0,
		"duration":    r.Duration("D", time.Second) == 90*time.Second,
		"no duration": r.Duration("NONE", time.Second) == time.Second,
		"int":         r.Int("I", 1, 1) == 7,
		"bool":        r.Bool("B", false) && r.Bool("NONE", true),
		"url":         r.URL("U", "") == "https://example.com/shop" && r.URL("NONE", "") == "",
		"listen":      r.Loopback("L", "", "") == "[::1]:0" && r.Loopback("NONE", "localhost:1", "") == "localhost:1",
		"secret file": r.Required("SECRET", "") == "from the file",
		"both":        r.String("BOTH", "") == "from the environment",
	} {
		if !ok {
			t.Errorf("%s", what)
		}
	}
	if d, on := r.DurationOrOff("OFF", time.Minute); on || d != time.Minute {
		t.Errorf("off: %s %t", d, on)
	}
	if d, on := r.DurationOrOff("D", time.Minute); !on || d != 90*time.Second {
		t.Errorf("on: %s %t", d, on)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func TestAProblemNeverShowsASecret(t *testing.T) {
	r := reader(map[string]string{"KEY_FILE": secretFile(t, "sk_live_hunter2")})
	if got := r.Required("KEY", ""); got != "sk_live_hunter2" {
		t.Fatalf("%q", got)
	}
	r.Required("OTHER", "another secret")
	if err := r.Err(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
