package stack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/migrate"
)

// RolePasswords are those that the services' own database URLs name
// (ORDERS_DATABASE_URL and so on, or their _FILE), by service: where a cluster
// hands each service its URL, the migration gives its role that password. An
// entry is empty where the URL has none. Errors: a URL of another role than the
// service's in the database of ownerURL; none quotes a URL.
func RolePasswords(ownerURL string, lookup config.Lookup) (map[string]string, error) {
	owner, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return nil, errors.New("DATABASE_URL cannot be parsed") // the cause would quote it
	}
	r := config.NewReader(lookup)
	passwords := map[string]string{}
	for _, service := range services {
		key := strings.ToUpper(service) + "_DATABASE_URL"
		url := r.String(key, "")
		if url == "" {
			continue
		}
		own, err := pgx.ParseConfig(url)
		if err != nil {
			r.Problem("%s cannot be parsed", key)
			continue
		}
		if role := migrate.RoleName(owner.Database, service); own.User != role {
			r.Problem("%s connects as %s, and the service's role in the database %s is %s", key, own.User, owner.Database, role)
		}
		passwords[service] = own.Password
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return passwords, nil
}
