package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// ErrNotFound means that no kept mail has the asked id.
var ErrNotFound = errors.New("no such mail")

// Store keeps mails in a folder, each as <id>.eml (the bytes as received) with
// its envelope in <id>.json. The .eml appears last and by renaming, so a mail
// is either kept whole or was never acknowledged.
type Store struct {
	dir string

	mu    sync.RWMutex
	index []Envelope // oldest first
}

// OpenStore reads the index of a folder, making it when missing.
func OpenStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{dir: dir}
	mails, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		return nil, err
	}
	for _, path := range mails {
		body, err := os.ReadFile(strings.TrimSuffix(path, ".eml") + ".json")
		if err != nil {
			return nil, err
		}
		var envelope Envelope
		if err := json.Unmarshal(body, &envelope); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		s.index = append(s.index, envelope)
	}
	slices.SortFunc(s.index, func(a, b Envelope) int { return strings.Compare(a.ID, b.ID) })
	return s, nil
}

// Add keeps one delivery. A repeat of the same mail is kept again, because
// seeing repeats is what a mailbox for tests is for.
func (s *Store) Add(from string, to []string, raw []byte, now time.Time) (Envelope, error) {
	envelope := Envelope{ReceivedAt: now.UTC(), From: from, To: to}
	envelope.Subject, envelope.MessageID = describe(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	// Ids grow, also within a millisecond; taken under the lock, they grow in
	// the order of the index, on which find relies.
	id, err := uuid.NewV7()
	if err != nil {
		return Envelope{}, err
	}
	envelope.ID = id.String()
	body, err := json.Marshal(envelope)
	if err != nil {
		return Envelope{}, err
	}
	if err := os.WriteFile(s.path(envelope.ID, ".json"), body, 0o600); err != nil {
		return Envelope{}, err
	}
	if err := os.WriteFile(s.path(envelope.ID, ".tmp"), raw, 0o600); err != nil {
		return Envelope{}, err
	}
	if err := os.Rename(s.path(envelope.ID, ".tmp"), s.path(envelope.ID, ".eml")); err != nil {
		return Envelope{}, err
	}
	s.index = append(s.index, envelope)
	return envelope, nil
}

// Filter selects mails; an empty field selects all.
type Filter struct {
	To        string // a recipient, compared without case
	MessageID string // with or without angle brackets
}

func (f Filter) matches(e Envelope) bool {
	if f.MessageID != "" && trimBrackets(f.MessageID) != e.MessageID {
		return false
	}
	return f.To == "" || slices.ContainsFunc(e.To, func(to string) bool { return strings.EqualFold(to, f.To) })
}

// List returns the envelopes that match, newest first.
func (s *Store) List(filter Filter) []Envelope {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := []Envelope{}
	for _, envelope := range slices.Backward(s.index) {
		if filter.matches(envelope) {
			found = append(found, envelope)
		}
	}
	return found
}

// Raw returns a mail's bytes as they were received.
func (s *Store) Raw(id string) ([]byte, error) {
	if _, err := s.find(id); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(s.path(id, ".eml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound // cleared in between
	}
	return raw, err
}

// Message returns a mail with its content decoded.
func (s *Store) Message(id string) (Message, error) {
	envelope, err := s.find(id)
	if err != nil {
		return Message{}, err
	}
	raw, err := s.Raw(id)
	if err != nil {
		return Message{}, err
	}
	return parse(envelope, raw), nil
}

// Len is the number of kept mails.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.index)
}

// Clear forgets every mail.
func (s *Store) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.index) > 0 {
		id := s.index[len(s.index)-1].ID
		if err := errors.Join(os.Remove(s.path(id, ".eml")), os.Remove(s.path(id, ".json"))); err != nil {
			return err
		}
		s.index = s.index[:len(s.index)-1]
	}
	return nil
}

// find also guards the folder: only ids that were handed out become paths.
func (s *Store) find(id string) (Envelope, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, ok := slices.BinarySearchFunc(s.index, id, func(e Envelope, id string) int { return strings.Compare(e.ID, id) })
	if !ok {
		return Envelope{}, ErrNotFound
	}
	return s.index[i], nil
}

func (s *Store) path(id, ext string) string { return filepath.Join(s.dir, id+ext) }
