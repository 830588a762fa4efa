package run

import (
	"fmt"
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
	unsaved []string
	lines   int // accepted, saved or not
	omitted int
}

// Add counts a finding and notes it as one line; an empty line only counts.
func (p *Progress) Add(c Counts, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.StuckFound += c.StuckFound
	p.counts.StuckRecovered += c.StuckRecovered
	p.counts.Errors += c.Errors
	switch {
	case line == "":
	case p.lines == maxLines:
		p.omitted++
	default:
		p.lines++
		p.unsaved = append(p.unsaved, clean(line))
	}
}

// Take returns the counts and hands over the lines that were not saved yet.
func (p *Progress) Take() (Counts, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.unsaved
	p.unsaved = nil
	return p.counts, lines
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
