package run

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDetailsAreBounded(t *testing.T) {
	var p Progress
	for range maxLines + 5 {
		p.Add(Counts{StuckFound: 1}, "found")
	}
	p.Close()
	counts, lines := p.Take()
	if counts.StuckFound != maxLines+5 {
		t.Errorf("counted %d", counts.StuckFound)
	}
	if len(lines) != maxLines+1 || lines[maxLines] != "5 further findings are not listed" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestLinesThatCouldNotBeSavedComeAgainInOrder(t *testing.T) {
	var p Progress
	p.Add(Counts{}, "one")
	_, lines := p.Take()
	p.Add(Counts{}, "two")
	p.PutBack(lines)
	if _, lines = p.Take(); strings.Join(lines, " ") != "one two" {
		t.Errorf("lines %v", lines)
	}
}

func TestEveryLineCanBeStored(t *testing.T) {
	var p Progress
	p.Add(Counts{}, "a\x00b\xff"+strings.Repeat("é", maxLineBytes))
	_, lines := p.Take()
	if !utf8.ValidString(lines[0]) || strings.Contains(lines[0], "\x00") || len(lines[0]) > maxLineBytes+len("…") {
		t.Errorf("line %q", lines[0])
	}
}
