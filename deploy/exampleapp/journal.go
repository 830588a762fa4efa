package exampleapp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// access is what an account may use, as a hook or an answer says it.
type access struct {
	Account   string     `json:"account_id"`
	Active    bool       `json:"active"`
	Until     *time.Time `json:"until"`
	ChangedAt time.Time  `json:"changed_at"`
}

// now says whether the account is let in. Until counts also when no hook came: a
// hook that is late must not give access away.
func (a access) now(at time.Time) bool { return a.Active && a.Until != nil && at.Before(*a.Until) }

// entry is one line of the journal: a session that began, or access that changed.
type entry struct {
	Session string  `json:"session,omitempty"`
	Account string  `json:"account,omitempty"`
	Access  *access `json:"access,omitempty"`
}

// journal is the app's database: a file of lines, synced before anything is
// answered, and read at the start. Yours is a real one.
type journal struct {
	mu       sync.Mutex
	file     *os.File
	sessions map[string]string
	accounts map[string]access
}

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, sessions: map[string]string{}, accounts: map[string]access{}}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e entry
		// A line that was cut by a crash was never answered for.
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			j.know(e)
		}
	}
	// After a line that was cut, the next must not be glued to it.
	if _, err := file.WriteString("\n"); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

// know keeps the newest of what was heard of an account: hooks can come twice, and
// after a replay the older after the newer.
func (j *journal) know(e entry) {
	if e.Session != "" {
		j.sessions[e.Session] = e.Account
	}
	if e.Access != nil && !e.Access.ChangedAt.Before(j.accounts[e.Access.Account].ChangedAt) {
		j.accounts[e.Access.Account] = *e.Access
	}
}

// Add keeps an entry durably.
func (j *journal) Add(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.know(e)
	return nil
}

// Account is whose session it is.
func (j *journal) Account(session string) (account string, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	account, known = j.sessions[session]
	return account, known
}

// Access is what was last heard of an account.
func (j *journal) Access(account string) (a access, heard bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	a, heard = j.accounts[account]
	return a, heard
}

// Close closes the file.
func (j *journal) Close() error { return j.file.Close() }
