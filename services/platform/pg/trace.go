package pg

import (
	"context"
	"strings"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/tracing"
)

// tracer gives each statement of a request that is recorded a span, which has its name
// and neither its text nor its arguments; nil when nothing is recorded.
func tracer() pgx.QueryTracer {
	if !tracing.On() {
		return nil
	}
	t := otelpgx.NewTracer(otelpgx.WithSpanNameCtxFunc(statement),
		otelpgx.WithDisableSQLStatementInAttributes(), otelpgx.WithDisableConnectionDetailsInAttributes())
	return statements{t, t, t}
}

// statements leaves out what a connection does before the first of them.
type statements struct {
	pgx.QueryTracer
	pgx.BatchTracer
	pgx.CopyFromTracer
}

// statement is what sqlc calls a query; of others their first word.
func statement(ctx context.Context, sql string) string {
	if name, ok := strings.CutPrefix(sql, "-- name: "); ok {
		name, _, _ = strings.Cut(name, " ")
		return name
	}
	return otelpgx.SQLOperationName(ctx, sql)
}
