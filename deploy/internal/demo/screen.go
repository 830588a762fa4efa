package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// width is where text wraps, so that it reads well in any terminal.
const width = 80

// screen is the terminal on which the story is told.
type screen struct {
	out   io.Writer
	color bool
	// began is zero on the timeline.
	began time.Time
	acts  int
	blank bool // the last line is empty
}

const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (s *screen) paint(style, text string) string {
	if !s.color || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// line ends with no spaces, and empty ones do not add up.
func (s *screen) line(text string) {
	if text == "" && s.blank {
		return
	}
	s.blank = text == ""
	fmt.Fprintln(s.out, strings.TrimRight(text, " "))
}

func (s *screen) title(text string) {
	s.line("")
	s.line(s.paint(bold, text))
	s.line(strings.Repeat("=", utf8.RuneCountInString(text)))
	s.line("")
}

// act begins a numbered part.
func (s *screen) act(text string) {
	s.acts++
	s.line("")
	s.line(s.paint(bold, fmt.Sprintf("%d. %s", s.acts, text)))
	s.line("")
}

// text is a paragraph, with an empty line after it.
func (s *screen) text(text string) {
	for _, l := range wrap(text, width-2) {
		s.line("  " + s.paint(dim, l))
	}
	s.line("")
}

// at is one line of the timeline.
func (s *screen) at(when time.Time, style, text string) {
	const indent = 26
	for i, l := range wrap(text, width-indent) {
		stamp := ""
		if i == 0 {
			stamp = fmt.Sprintf("%s  %+6.2f s", when.Local().Format("15:04:05.000"), when.Sub(s.began).Seconds())
		}
		s.line("  " + s.paint(dim, fmt.Sprintf("%-*s", indent-4, stamp)) + "  " + s.paint(style, l))
	}
}

// now is a line of the timeline about this moment.
func (s *screen) now(style, format string, args ...any) {
	s.at(time.Now(), style, fmt.Sprintf(format, args...))
}

// fact is a label and what there is to say under it.
func (s *screen) fact(label, value string) {
	const indent = 24
	for i, l := range wrap(value, width-indent) {
		if i > 0 {
			label = ""
		}
		s.line("  " + s.paint(cyan, fmt.Sprintf("%-*s", indent-4, label)) + "  " + l)
	}
}

// quote shows what a customer reads, line by line.
func (s *screen) quote(text string) {
	for l := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		for _, part := range wrap(l, width-4) {
			s.line("  " + s.paint(dim, "|") + " " + part)
		}
	}
}

// wrap breaks a text at its spaces; a longer word stays whole.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
