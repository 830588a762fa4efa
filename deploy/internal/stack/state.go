package stack

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/postgres"
)

// State is what the state folder remembers between runs. It is made once per
// folder, so that no two developers share a secret and none is in the source.
type State struct {
	// DatabasePasswords are those of the services' roles, by service.
	DatabasePasswords map[string]string `json:"database_passwords"`
	// WebhookSecret is what the simulator signs with.
	WebhookSecret string `json:"webhook_secret"`
}

// OpenState reads the folder's secrets, adding those that are missing.
func OpenState(dir string) (State, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return State{}, err
	}
	path := filepath.Join(dir, "secrets.json")
	var state State
	switch body, err := os.ReadFile(path); {
	case err == nil:
		if err := json.Unmarshal(body, &state); err != nil {
			return State{}, fmt.Errorf("%s: %w", path, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return State{}, err
	}
	complete := true
	if state.WebhookSecret == "" {
		state.WebhookSecret, complete = "whsec_"+rand.Text(), false
	}
	if state.DatabasePasswords == nil {
		state.DatabasePasswords = map[string]string{}
	}
	for _, service := range services {
		if state.DatabasePasswords[service] == "" {
			state.DatabasePasswords[service], complete = rand.Text(), false
		}
	}
	if complete {
		return state, nil
	}
	body, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return State{}, err
	}
	return state, replaceFile(path, append(body, '\n'), 0o600)
}

// Remove deletes a state folder and the database that lives outside it, if
// PostgreSQL's user could not enter it. The stack must be stopped.
func Remove(dir string) error {
	outside := postgres.UsableDir(filepath.Join(dir, "postgres"))
	return errors.Join(os.RemoveAll(outside), os.RemoveAll(dir))
}

// rawToken is the file with a developer's credential itself.
func rawToken(dir, name string) string { return filepath.Join(dir, name+".token") }

// ensureToken keeps <dir>/<name>.token, the credential of a developer, and the
// file of hashes by which services recognise it; it returns that file's path.
func ensureToken(dir, name, actor, role string) (string, error) {
	raw := rawToken(dir, name)
	hashed := filepath.Join(dir, name+"-tokens.json")
	body, err := os.ReadFile(raw)
	if errors.Is(err, fs.ErrNotExist) {
		body = []byte("mg_" + name + "_" + rand.Text() + "\n")
		err = replaceFile(raw, body, 0o600)
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(hashed); err == nil {
		return hashed, nil // a developer may have added actors to it
	}
	return hashed, access.AddToken(hashed, strings.TrimSpace(string(body)), access.Token{Actor: actor, Role: role})
}

// replaceFile writes a file in one step: a reader finds the old or the new.
func replaceFile(path string, body []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path+".new", body, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
