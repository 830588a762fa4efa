package access

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// Mint adds a credential to a token file, which it makes when there is none, and
// returns the credential's text: it is kept nowhere else. SHA256 is filled in.
func Mint(path string, tok Token) (text string, err error) {
	text = "mg_" + rand.Text()
	return text, AddToken(path, text, tok)
}

// AddToken is Mint for a text that is known already.
func AddToken(path, text string, tok Token) error {
	tok.SHA256 = hashOf(text)
	if err := tok.check(); err != nil {
		return err
	}
	return change(path, func(list []Token) ([]Token, error) {
		return append(slices.DeleteFunc(list, func(t Token) bool { return t.ID() == tok.ID() }), tok), nil
	})
}

// ListTokens reads a token file.
func ListTokens(path string) ([]Token, error) { return readTokens(path) }

// RevokeTokens takes credentials out of a token file and returns them. Running
// services refuse them within a second.
func RevokeTokens(path string, which func(Token) bool) (revoked []Token, err error) {
	err = change(path, func(list []Token) ([]Token, error) {
		var kept []Token
		for _, tok := range list {
			if which(tok) {
				revoked = append(revoked, tok)
			} else {
				kept = append(kept, tok)
			}
		}
		return kept, nil
	})
	return revoked, err
}

// change rewrites a token file in one step, one writer at a time: a service that
// reads it finds the old or the new. A new one is its owner's alone.
func change(path string, how func([]Token) ([]Token, error)) error {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	defer lock.Close() // which gives the lock back
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	list, err := readTokens(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if list, err = how(list); err != nil {
		return err
	}
	if list == nil {
		list = []Token{}
	}
	body, err := json.MarshalIndent(tokenFile{Tokens: list}, "", "  ")
	if err != nil {
		return err
	}
	return replace(path, append(body, '\n'))
}

func replace(path string, body []byte) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// The services may run as another user, or read it as a group: what its owner
	// arranged stays, but for what would let anybody read it.
	if old, err := os.Stat(path); err == nil {
		if err := os.Chmod(next, old.Mode().Perm()&^0o007); err != nil {
			return err
		}
		if owner, ok := old.Sys().(*syscall.Stat_t); ok {
			if err := os.Chown(next, int(owner.Uid), int(owner.Gid)); err != nil {
				return fmt.Errorf("keep the owner of %s: %w", path, err)
			}
		}
	}
	return os.Rename(next, path)
}
