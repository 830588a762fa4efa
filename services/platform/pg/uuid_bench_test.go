package pg_test

import (
	"testing"

	"github.com/google/uuid"

	"makegood.example/services/platform/pgtest"
)

// BenchmarkID sends an id and reads it back.
func BenchmarkID(b *testing.B) {
	pool := open(b, pgtest.New(b).URL("bank"))
	id := uuid.New()
	for b.Loop() {
		var back uuid.UUID
		if err := pool.QueryRow(b.Context(), "SELECT $1::uuid", id).Scan(&back); err != nil || back != id {
			b.Fatal(back, err)
		}
	}
}
