package pages

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every pair of colours that the stylesheet puts on each other, in both
// schemes: 4.5 for text, 3 for signs and outlines (WCAG 2.2, 1.4.3 and 1.4.11).
func TestColoursCanBeReadInBothSchemes(t *testing.T) {
	light, rest, ok := strings.Cut(style, "@media (prefers-color-scheme:dark)")
	if !ok {
		t.Fatal("no dark scheme")
	}
	dark, _, _ := strings.Cut(rest, "\n")
	for scheme, colours := range map[string]map[string]float64{"light": luminances(t, light), "dark": luminances(t, dark)} {
		for _, c := range []struct {
			least float64
			pairs string
		}{
			{4.5, "ink/bg ink/card soft/bg soft/card accent/bg accent/card on-accent/accent ink/stop-bg ink/good-bg ink/wait-bg accent/stop-bg"},
			{3, "good/good-bg wait/wait-bg stop/stop-bg good/card wait/card stop/card card/good card/stop good/good-bg accent/card"},
		} {
			for pair := range strings.FieldsSeq(c.pairs) {
				front, back, _ := strings.Cut(pair, "/")
				a, b := colours[front], colours[back]
				if ratio := (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05); ratio < c.least {
					t.Errorf("%s: %s has %.2f, less than %.1f", scheme, pair, ratio, c.least)
				}
			}
		}
	}
}

var property = regexp.MustCompile(`--([a-z-]+):#([0-9a-f]{6}|[0-9a-f]{3})\b`)

// luminances are the relative luminances of the colours that a part of the
// stylesheet defines, by name.
func luminances(t *testing.T, css string) map[string]float64 {
	t.Helper()
	found := map[string]float64{}
	for _, m := range property.FindAllStringSubmatch(css, -1) {
		hex := m[2]
		if len(hex) == 3 {
			hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
		}
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		linear := func(v uint64) float64 {
			c := float64(v&0xff) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		found[m[1]] = 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
	}
	if len(found) < 13 {
		t.Fatalf("only %d colours", len(found))
	}
	return found
}
