package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"makegood.example/services/platform/access"
)

const tokenUsage = `usage:
  makegood token new -actor NAME [-role viewer|support|admin] [-expires 90d]
  makegood token list
  makegood token revoke ID | -actor NAME
The file is that of ADMIN_TOKENS_FILE, or the state folder's; -file names another.
`

// keepTokens is makegood token.
func keepTokens(_ context.Context, args []string) error {
	dir, err := stateDir()
	if err != nil {
		return err
	}
	file := cmp.Or(os.Getenv("ADMIN_TOKENS_FILE"), filepath.Join(dir, "admin-tokens.json"))
	return tokens{file: file, now: time.Now().UTC(), out: os.Stdout, say: os.Stderr}.run(args)
}

// tokens changes one file. Only a new token's text goes to out, so that it can be
// put where it belongs without being seen.
type tokens struct {
	file     string
	now      time.Time
	out, say io.Writer
}

func (t tokens) run(args []string) error {
	if len(args) == 0 {
		fmt.Fprint(t.say, tokenUsage)
		return errUsage
	}
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	flags.SetOutput(t.say)
	flags.Usage = func() { fmt.Fprint(t.say, tokenUsage) }
	flags.StringVar(&t.file, "file", t.file, "")
	actor := flags.String("actor", "", "")
	role := flags.String("role", access.Support, "")
	expires := flags.String("expires", "90d", "")
	if err := flags.Parse(args[1:]); err != nil {
		return errUsage
	}
	switch {
	case args[0] == "new" && flags.NArg() == 0:
		return t.mint(*actor, *role, *expires)
	case args[0] == "list" && flags.NArg() == 0:
		return t.list()
	case args[0] == "revoke" && (flags.NArg() == 1) != (*actor != ""):
		return t.revoke(*actor, flags.Arg(0))
	}
	flags.Usage()
	return errUsage
}

func (t tokens) mint(actor, role, expires string) error {
	if strings.TrimSpace(actor) == "" {
		return errors.New("-actor is missing: the name under which the audit records what this person does")
	}
	tok := access.Token{Actor: strings.TrimSpace(actor), Role: role, CreatedAt: &t.now}
	until := "until it is revoked"
	if expires != "never" {
		d, err := span(expires)
		if err != nil {
			return err
		}
		at := t.now.Add(d).Truncate(time.Second)
		tok.ExpiresAt, until = &at, "until "+at.Format(time.RFC3339)
	}
	text, err := access.Mint(t.file, tok)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.say, "%s may act as %s %s. The token is shown once; %s keeps only its hash:\n", tok.Actor, role, until, t.file)
	_, err = fmt.Fprintln(t.out, text)
	return err
}

func (t tokens) list() error {
	list, err := access.ListTokens(t.file)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tACTOR\tROLE\tMADE\tEXPIRES")
	for _, tok := range list {
		expires := "never"
		if tok.ExpiresAt != nil {
			expires = tok.ExpiresAt.Format(time.RFC3339)
		}
		if tok.Expired(t.now) {
			expires += " (expired)"
		}
		made := "unknown"
		if tok.CreatedAt != nil {
			made = tok.CreatedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", tok.ID(), tok.Actor, tok.Role, made, expires)
	}
	return table.Flush()
}

func (t tokens) revoke(actor, id string) error {
	revoked, err := access.RevokeTokens(t.file, func(tok access.Token) bool {
		return actor != "" && tok.Actor == actor || id != "" && tok.ID() == strings.ToLower(id)
	})
	if err != nil {
		return err
	}
	if len(revoked) == 0 {
		return fmt.Errorf("no such token in %s; makegood token list shows them", t.file)
	}
	for _, tok := range revoked {
		fmt.Fprintf(t.say, "revoked %s of %s; running services refuse it within a second\n", tok.ID(), tok.Actor)
	}
	return nil
}

// span reads a time such as 90d, or one of Go's.
func span(text string) (time.Duration, error) {
	days, isDays := strings.CutSuffix(text, "d")
	if n, err := strconv.Atoi(days); isDays && err == nil && n > 0 && n <= 36500 {
		return time.Duration(n) * 24 * time.Hour, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("-expires %q is neither a time such as 90d or 12h, nor never", text)
}
