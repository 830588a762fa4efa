package migrate

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// RoleName is the database role of a service. Roles belong to the whole
// cluster, so the database's name is part of it.
func RoleName(database, service string) string { return database + "_" + service }

// ServiceURL is ownerURL with the credentials of a service's role. The error
// never quotes the URL, which holds a password.
func ServiceURL(ownerURL, service, password string) (string, error) {
	u, err := url.Parse(ownerURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", errors.New("the database URL must have the form postgres://user:password@host:port/database")
	}
	cfg, err := pgx.ParseConfig(ownerURL)
	if err != nil || cfg.Database == "" {
		return "", errors.New("the database URL cannot be parsed or names no database")
	}
	q := u.Query()
	for _, key := range []string{"user", "password", "dbname", "database"} {
		q.Del(key)
	}
	u.RawQuery = q.Encode()
	u.Path = "/" + cfg.Database
	u.User = url.UserPassword(RoleName(cfg.Database, service), password)
	return u.String(), nil
}

// ensureRole makes the role if the cluster does not have it, sets its password
// when one is given, and lets it connect where that is not everyone's right.
func ensureRole(ctx context.Context, pool *pgxpool.Pool, database, role, password string) error {
	var exists bool
	if err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := pool.Exec(ctx, "CREATE ROLE "+ident(role)+" LOGIN"); err != nil {
			return fmt.Errorf("create: %w", err)
		}
	}
	if password != "" {
		verifier, err := scramVerifier(password)
		if err != nil {
			return err
		}
		if _, err := pool.Exec(ctx, "ALTER ROLE "+ident(role)+" PASSWORD '"+verifier+"'"); err != nil {
			return fmt.Errorf("set password: %w", err)
		}
	}
	var mayConnect bool
	if err := pool.QueryRow(ctx, "SELECT has_database_privilege($1, $2, 'CONNECT')", role, database).Scan(&mayConnect); err != nil {
		return err
	}
	if !mayConnect {
		if _, err := pool.Exec(ctx, "GRANT CONNECT ON DATABASE "+ident(database)+" TO "+ident(role)); err != nil {
			return fmt.Errorf("grant connect: %w", err)
		}
	}
	return nil
}

// grant gives role its rights inside the schema, in one transaction so that a
// running service never sees a table without its rights nor an append-only
// table open.
func (s Schema) grant(ctx context.Context, pool *pgxpool.Pool, role string) error {
	schema, to := ident(s.Name), ident(role)
	statements := []string{
		"REVOKE ALL ON SCHEMA " + schema + " FROM PUBLIC",
		"REVOKE ALL ON ALL TABLES IN SCHEMA " + schema + " FROM PUBLIC",
		"GRANT USAGE ON SCHEMA " + schema + " TO " + to,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema + " TO " + to,
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + to,
		// Covers the moment between a migration that adds a table and the next grant.
		"ALTER DEFAULT PRIVILEGES IN SCHEMA " + schema + " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + to,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA " + schema + " GRANT USAGE, SELECT ON SEQUENCES TO " + to,
		"REVOKE INSERT, UPDATE, DELETE ON " + s.versionTable() + " FROM " + to,
	}
	if s.River {
		statements = append(statements, "REVOKE INSERT, UPDATE, DELETE ON "+ident(s.Name, "river_migration")+" FROM "+to)
	}
	for _, table := range s.AppendOnly {
		statements = append(statements, "REVOKE UPDATE, DELETE, TRUNCATE ON "+ident(s.Name, table)+" FROM "+to)
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, strings.Join(statements, ";\n"))
		return err
	})
}

// scramVerifier is what PostgreSQL stores of a password (RFC 5803). Sending it
// instead of the password keeps the password out of the server's log.
func scramVerifier(password string) (string, error) {
	const iterations = 4096 // PostgreSQL's own default
	for _, r := range password {
		if r <= ' ' || r > '~' {
			return "", errors.New("set password: only printable ASCII without spaces is supported")
		}
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("set password: %w", err)
	}
	mac := func(message string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(message))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac("Server Key"))), nil
}
