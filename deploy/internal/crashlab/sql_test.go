package crashlab

import (
	"slices"
	"testing"
)

func TestWhatAStatementWrites(t *testing.T) {
	for sql, want := range map[string]struct {
		name   string
		writes []string
	}{
		"-- name: InsertOrder :exec\nINSERT INTO orders.orders (id) VALUES ($1)":                                                                                            {"InsertOrder", []string{"INSERT orders.orders"}},
		"-- name: ClaimDue :many\n-- UPDATE of nothing.here\nUPDATE orders.orders SET a = 1 WHERE id IN (SELECT id FROM orders.orders FOR UPDATE SKIP LOCKED) RETURNING id": {"ClaimDue", []string{"UPDATE orders.orders"}},
		"WITH x AS (DELETE FROM a.b RETURNING *), y AS (UPDATE ONLY a.c SET d = 'INSERT INTO no.thing') INSERT INTO \"a\".\"e\" SELECT * FROM x":                            {"WITH x AS", []string{"DELETE a.b", "UPDATE a.c", "INSERT a.e"}},
		"INSERT INTO a.b VALUES (1) ON CONFLICT (id) DO UPDATE SET c = 2":                                                                                                   {"INSERT INTO a.b", []string{"INSERT a.b"}},
		"SELECT id FROM a.b FOR NO KEY UPDATE":          {"SELECT id FROM", nil},
		"SELECT updated_at, 'DELETE FROM a.b' FROM a.c": {"SELECT updated_at, ''", nil},
	} {
		got := analyse(sql)
		if got.name != want.name || !slices.Equal(got.writes, want.writes) {
			t.Errorf("%s\n is %s %v", sql, got.name, got.writes)
		}
	}
	for sql, want := range map[string][3]bool{
		"begin": {true, false, false}, "BEGIN ISOLATION LEVEL SERIALIZABLE": {true, false, false}, "commit": {false, true, false},
		"rollback": {false, false, true}, "ROLLBACK TO SAVEPOINT a": {false, false, false}, "-- name: Begin :one\nSELECT 1": {false, false, false},
	} {
		if s := analyse(sql); [3]bool{s.begins, s.commits, s.rollback} != want {
			t.Errorf("%s is %+v", sql, s)
		}
	}
}

func TestTheStepIsToldByItsStates(t *testing.T) {
	got := states([][]byte{[]byte("CHARGED"), []byte("USD"), []byte("Jane Example"), []byte("payment_intent.succeeded"), []byte("request"), {0, 1}, nil, []byte("CHARGED"), []byte("jane@example.com")})
	if !slices.Equal(got, []string{"CHARGED", "payment_intent.succeeded"}) {
		t.Errorf("states %v", got)
	}
}

func TestOnlyIdsAreTakenOver(t *testing.T) {
	r := newRun("purchase", 1)
	other := newRun("purchase", 2)
	r.associate([][]byte{other.orderID[:], []byte("pi_123456789"), []byte("pm_card_visa"), []byte("sixteen letters."), []byte("annual")})
	for value, want := range map[string]bool{
		string(other.orderID[:]): true, "x " + other.orderID.String(): true, "pi_123456789": true, "pm_card_visa": false, "sixteen letters.": false, "annual": false,
		r.email: true, `{"id":"` + r.orderID.String() + `"}`: true, string(other.reference[:]): false,
	} {
		if got := r.about([][]byte{[]byte(value)}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
