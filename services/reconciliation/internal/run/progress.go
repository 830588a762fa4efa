package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

const (
	// maxLines bounds the details of one run: a day on which everything is stuck
	// must not make a row of megabytes.
	maxLines = 1000
	// maxLineBytes bounds one detail; it may quote another service's message.
	maxLineBytes = 500
)

// Progress collects what a run finds, for its workers to add to and its
// recorder to save. Its zero value is ready.
type Progress struct {
	mu      sync.Mutex
	counts  Counts
	lines   []string // accepted, saved or not
	unsaved []string
	omitted int
}

// Add counts a finding and notes it as one line; an empty line only counts.
func (p *Progress) Add(c Counts, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.add(c)
	switch {
	case line == "":
	case len(p.lines) >= maxLines:
		p.omitted++
	default:
		line = clean(line)
		p.lines = append(p.lines, line)
		p.unsaved = append(p.unsaved, line)
	}
}

// Note adds a line that must not be left out, however many there are.
func (p *Progress) Note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	p.unsaved = append(p.unsaved, line)
}

// Take returns the counts and hands over the lines that were not saved yet.
func (p *Progress) Take() (Counts, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.unsaved
	p.unsaved = nil
	return p.copyCounts(), lines
}

// Seen returns the counts and all lines so far, for somebody who watches.
func (p *Progress) Seen() (Counts, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.copyCounts(), slices.Clone(p.lines)
}

func (p *Progress) copyCounts() Counts {
	c := p.counts
	c.Dispositions = maps.Clone(c.Dispositions)
	return c
}

// PutBack returns lines that could not be saved, to be taken again.
func (p *Progress) PutBack(lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsaved = append(lines, p.unsaved...)
}

// Close notes how many lines were left out. Nothing is added after it.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.omitted > 0 {
		p.unsaved = append(p.unsaved, fmt.Sprintf("%d further findings are not listed", p.omitted))
	}
}

// clean makes a line storable: a peer's message may hold what PostgreSQL
// refuses, and one bad line must not keep a run from being recorded.
func clean(line string) string {
	line = strings.ToValidUTF8(strings.ReplaceAll(line, "\x00", ""), "?")
	if len(line) > maxLineBytes {
		line = strings.ToValidUTF8(line[:maxLineBytes], "") + "…"
	}
	return line
}
