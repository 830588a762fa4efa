package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pg"
)

// testEdgeWithoutOrders: what a buyer is told while Orders is down is true.
func testEdgeWithoutOrders(t *testing.T, s *shop) {
	b := s.buyer("orders is down")
	s.down(t, "orders")
	await(t, "/readyz to say no", func() bool {
		return b.call(t, http.MethodGet, "/readyz", nil, nil).Status == http.StatusServiceUnavailable
	})

	a := b.pays(t, card)
	if a.Status != http.StatusServiceUnavailable || a.Metadata["reference"] != b.reference || !strings.Contains(a.Body, "not known") {
		t.Errorf("a purchase got %d %s", a.Status, a.Body)
	}
	if seen := b.looks(t); seen.Status != http.StatusServiceUnavailable {
		t.Errorf("the order: %d %s", seen.Status, seen.Body)
	}

	began := time.Now()
	page := b.call(t, http.MethodGet, "/payment-issue?ref="+b.reference, nil, nil)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the page took %s", took)
	}
	support := "support@makegood.example"
	for _, told := range []string{b.reference, strings.ToUpper(b.reference[:8]), ">" + support + "<", "mailto:" + support, "pay again"} {
		if page.Status != http.StatusOK || !strings.Contains(page.Body, told) {
			t.Errorf("the page (%d) does not say %q:\n%s", page.Status, told, page.Body)
		}
	}
	// Nobody knows about the money, so nothing may be said of it.
	claims := regexp.MustCompile(`(?i)payment (arrived|was received|failed|succeeded)|was (not )?charged|was declined|nothing (is|was) charged|refunded|you're in`)
	if claim := claims.FindString(page.Body); claim != "" {
		t.Errorf("the page claims %q:\n%s", claim, page.Body)
	}

	s.up(t, "orders")
	if ready := b.call(t, http.MethodGet, "/readyz", nil, nil); ready.Status != http.StatusOK {
		t.Errorf("/readyz after the recovery: %d %s", ready.Status, ready.Body)
	}
	if r := b.record(t); r != nil {
		t.Errorf("a request that Orders never saw made an order: %+v", r)
	}
	if a := b.pays(t, card); !a.fulfilled() {
		t.Errorf("the repeated request got %d %s", a.Status, a.Body)
	}
	b.judgeEffects(t, outcome{})
}

var services = []string{"orders", "payments", "provisioning", "notifications", "reconciliation"}

// testRoles: each service's own credentials open its own schema and no other.
func testRoles(t *testing.T, s *shop) {
	state, err := stack.OpenState(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.DB().Query(t.Context(), "SELECT schemaname, quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname = ANY($1)", services)
	if err != nil {
		t.Fatal(err)
	}
	type table struct{ Schema, Name string }
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range services {
		url, err := migrate.ServiceURL(s.Env("DATABASE_URL"), service, state.DatabasePasswords[service])
		if err != nil {
			t.Fatal(err)
		}
		db, err := pg.Open(t.Context(), url, "e2e")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		own := 0
		for _, table := range tables {
			_, err := db.Exec(t.Context(), "SELECT FROM "+table.Name+" LIMIT 1")
			switch denied := err != nil && strings.Contains(err.Error(), "SQLSTATE 42501"); {
			case table.Schema == service && err == nil:
				own++
			case table.Schema != service && !denied:
				t.Errorf("%s reads %s: %v", service, table.Name, err)
			}
		}
		if own == 0 {
			t.Errorf("%s cannot read its own tables", service)
		}
		if _, err := db.Exec(t.Context(), "CREATE TABLE "+service+".mine ()"); err == nil {
			t.Errorf("%s may create tables", service)
		}
		if service == "orders" {
			for _, sql := range []string{"UPDATE orders.history SET note = ''", "DELETE FROM orders.history"} {
				if _, err := db.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "SQLSTATE 42501") {
					t.Errorf("orders may %q: %v", sql, err)
				}
			}
		}
	}
}

// testTypedErrors: an error raised in Provisioning is recognised in Orders and
// shows as its own HTTP status at the edge, and nothing is written.
func testTypedErrors(t *testing.T, s *shop) {
	token, err := s.Token("service")
	if err != nil {
		t.Fatal(err)
	}
	b := s.buyer("unknown account")
	request, header := b.request(card), b.key()
	request["account_id"], header["Authorization"] = "7d444840-9dc0-11d1-b245-5ffdce74fad2", "Bearer "+token
	before := s.everything(t)
	a := b.call(t, http.MethodPost, "/v1/orders", header, request)
	if a.Status != http.StatusBadRequest || a.Reason != "ACCOUNT_NOT_FOUND" {
		t.Errorf("an unknown account: %d %s", a.Status, a.Body)
	}
	if after := s.everything(t); after != before {
		t.Errorf("%d rows or requests to Stripe were made", after-before)
	}

	// A known account is extended.
	known := s.buyer("known account")
	known.pays(t, card)
	r, _ := known.judgeEffects(t, outcome{})
	var account string
	if err := s.DB().QueryRow(t.Context(), "SELECT account_id::text FROM provisioning.grants WHERE order_id = $1", r.ID).Scan(&account); err != nil {
		t.Fatal(err)
	}
	renewal := s.buyer("colleague")
	request, header = renewal.request(card), renewal.key()
	request["account_id"], header["Authorization"] = account, "Bearer "+token
	if a := renewal.call(t, http.MethodPost, "/v1/orders", header, request); !a.fulfilled() {
		t.Errorf("a known account: %d %s", a.Status, a.Body)
	}
	if n := s.count(t, `SELECT count(*) FROM provisioning.grants a JOIN provisioning.grants b USING (account_id)
		WHERE a.account_id = $1 AND b.starts_at = a.ends_at AND b.ends_at AT TIME ZONE 'UTC' = a.starts_at AT TIME ZONE 'UTC' + interval '24 months'`, account); n != 1 {
		t.Errorf("the second year does not follow the first")
	}
	renewal.awaitAccess(t)
}

func testHealthAndReflection(t *testing.T, s *shop) {
	for _, service := range services {
		conn, err := grpc.NewClient("passthrough:///"+s.Env(strings.ToUpper(service)+"_GRPC_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		health, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
		if err != nil || health.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%s: health %v, %v", service, health, err)
		}
		stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
			t.Fatal(err)
		}
		list, err := stream.Recv()
		if err != nil {
			t.Fatalf("%s: reflection: %v", service, err)
		}
		var found bool
		for _, offered := range list.GetListServicesResponse().GetService() {
			found = found || strings.HasPrefix(offered.GetName(), service+".v1.")
		}
		if !found {
			t.Errorf("%s: reflection lists %v", service, list)
		}
	}
}
