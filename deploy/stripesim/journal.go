package stripesim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// journalRecord is the full state of one object after a change.
type journalRecord struct {
	Kind  string          `json:"kind"`
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value"`
}

// journalLine is everything that one request changed.
type journalLine struct {
	Live    bool            `json:"live"`
	Records []journalRecord `json:"records"`
}

// journal is an append-only file of changed objects; replaying it, the last
// state of each object wins. It is written before a reply is sent and not
// synced: it survives the death of the process, not of the machine.
type journal struct {
	path string
	file *os.File // nil: memory only
}

// openJournal replays the file at path, rewrites it with one record per object,
// and opens it for appending. An empty path keeps nothing.
func openJournal(path string, apply func(journalLine) error, snapshot func(write func(journalLine) error) error) (*journal, error) {
	if path == "" {
		return &journal{}, nil
	}
	if err := replay(path, apply); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("journal folder: %w", err)
	}
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("compact journal: %w", err)
	}
	out := bufio.NewWriter(f)
	enc := json.NewEncoder(out)
	err = errors.Join(snapshot(func(l journalLine) error { return enc.Encode(l) }), out.Flush(), f.Close())
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return nil, fmt.Errorf("compact journal: %w", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &journal{path: path, file: file}, nil
}

func replay(path string, apply func(journalLine) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	for n := 1; ; n++ {
		raw, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // what is left is a line cut off by a kill: it was never answered
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		var line journalLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return fmt.Errorf("journal line %d: %w", n, err)
		}
		if err := apply(line); err != nil {
			return fmt.Errorf("journal line %d: %w", n, err)
		}
	}
}

func (j *journal) append(line journalLine) error {
	if j.file == nil {
		return nil
	}
	raw, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, err := j.file.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// clear forgets everything written so far.
func (j *journal) clear() error {
	if j.file == nil {
		return nil
	}
	return j.file.Truncate(0)
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}
