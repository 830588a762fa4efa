// Package secretive finds what must not be told in what a run wrote down: addresses,
// names, keys, tokens, cards, word for word and by their form.
package secretive

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Secrets are what must never be told: what was used in a run, word for word, and
// everything of the form of it.
type Secrets struct {
	Words map[string]string // by what it is
	forms map[string]*regexp.Regexp
}

// New knows the forms, and no words yet.
func New() *Secrets {
	return &Secrets{Words: map[string]string{}, forms: map[string]*regexp.Regexp{
		"an address of a customer": regexp.MustCompile(`(?i)[a-z0-9._%+-]+(@|%40|\\u0040)example\.com`),
		"a client secret":          regexp.MustCompile(`(pi|seti|cs)_\w+_secret_\w+`),
		"a Stripe key":             regexp.MustCompile(`[sr]k_(test|live)_\w+`),
		"a webhook secret":         regexp.MustCompile(`whsec_\w+`),
		"a token of ours":          regexp.MustCompile(`mg_(admin|service)_\w+|mg_[A-Z2-7]{26}`),
		"a card number":            regexp.MustCompile(`(^|[^\d.])[45]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}($|\D)`),
		"a signature":              regexp.MustCompile(`v1=[0-9a-f]{16,}`),
		"a bearer":                 regexp.MustCompile(`(?i)bearer [a-z0-9._-]{8,}`),
		"a password in an address": regexp.MustCompile(`\w+://[^/\s:@]+:[^/\s@]+@`),
		"a private key":            regexp.MustCompile(`PRIVATE KEY`),
	}}
}

// Keep adds a word, unless it is none.
func (s *Secrets) Keep(what, word string) {
	if len(word) >= 6 {
		s.Words[what] = word
	}
}

// randomIDs are UUIDs, and the ids of traces: by chance one has digits like a card's.
var randomIDs = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"(trace|span)_id":"[0-9a-f]+"`)

// without are words without which there is nothing of a form whose search takes long.
var without = map[string]string{"an address of a customer": "example.com", "a bearer": "bearer "}

// ourExample is the address that our own words use to show what one looks like.
const ourExample = "jane@example.com"

// In says what a text tells, and where. Letters count the same large and small.
func (s *Secrets) In(text string) (told []string) {
	text = strings.ReplaceAll(text, "such as "+ourExample, "such as this")
	lower := strings.ToLower(text)
	line := func(text string, at int) string {
		begin := strings.LastIndexByte(text[:at], '\n') + 1
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text) - at
		}
		return text[begin:min(at+end, begin+400)]
	}
	for what, word := range s.Words {
		for _, form := range []string{word, url.QueryEscape(word)} {
			if at := strings.Index(lower, strings.ToLower(form)); at >= 0 {
				told = append(told, what+" in: "+line(text, at))
				break
			}
		}
	}
	named := randomIDs.ReplaceAllString(text, "an id")
	for what, form := range s.forms {
		if word := without[what]; word != "" && !strings.Contains(lower, word) {
			continue
		}
		if at := form.FindStringIndex(named); at != nil {
			told = append(told, what+" in: "+line(named, at[0]))
		}
	}
	slices.Sort(told)
	return told
}

// InLogs reads every log of a folder, and says what is told, by the log's name. A folder
// without logs is an error, and so is an empty log.
func (s *Secrets) InLogs(folder string) (told map[string][]string, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.log"))
	if err == nil && len(paths) == 0 {
		err = os.ErrNotExist
	}
	told = map[string][]string{}
	for _, path := range paths {
		text, readErr := os.ReadFile(path)
		if readErr != nil {
			return nil, readErr
		}
		if found := s.In(string(text)); len(found) > 0 {
			told[filepath.Base(path)] = found
		}
	}
	return told, err
}
