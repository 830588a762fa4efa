package oneprocess_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"makegood.example/deploy/internal/oneprocess"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
)

// crowd is accounts with a grant each, beside the one that is asked about.
var crowd = []string{
	`INSERT INTO provisioning.accounts (id, email, email_key, name, created_at)
		SELECT md5('account ' || n)::uuid, 'jane' || n || '@example.com', 'jane' || n || '@example.com', 'Jane', now() FROM generate_series(1, 20000) AS n`,
	`INSERT INTO provisioning.grants (order_id, account_id, plan_id, term_months, starts_at, ends_at, account_created, created_at)
		SELECT md5('order ' || n)::uuid, md5('account ' || n)::uuid, 'annual', 12, now(), now() + interval '1 year', true, now() FROM generate_series(1, 20000) AS n`,
	`ANALYZE provisioning.accounts, provisioning.grants`,
}

// BenchmarkCheckAccess asks whether an account has access: over gRPC in memory, over
// REST, and over REST with the answer that was had before; beside one bare SELECT by
// a primary key. They take turns, so that a busy machine lengthens all of them, and
// what is reported are medians and their ratio to the SELECT's.
func BenchmarkCheckAccess(b *testing.B) {
	w := oneprocess.New(b, oneprocess.Options{})
	o := w.Buyer("jane").Buys("annual", "pm_card_visa")
	w.Settle()
	for _, statement := range crowd {
		if _, err := w.DB.Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	id, token := account(b, w, o.ID), "Bearer "+w.Credentials()["service"]
	provisioning := provisioningv1.NewProvisioningServiceClient(w.Conn("provisioning", ""))
	app := metadata.AppendToOutgoingContext(b.Context(), "authorization", token)
	edge, _ := w.Setting("PUBLIC_URL")
	rest := func(has string, want int) (etag string, err error) {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, edge+"/v1/accounts/"+id+"/access", nil)
		if err != nil {
			return "", err
		}
		r.Header.Set("Authorization", token)
		if has != "" {
			r.Header.Set("If-None-Match", has)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		if _, err = io.Copy(io.Discard, answer.Body); err == nil && answer.StatusCode != want {
			err = fmt.Errorf("answered %d", answer.StatusCode)
		}
		return answer.Header.Get("Etag"), err
	}
	etag, err := rest("", http.StatusOK)
	if err != nil || etag == "" {
		b.Fatal(etag, err)
	}
	ways := []struct {
		name string
		ask  func(context.Context) error
	}{
		{"select", func(ctx context.Context) error {
			var email string
			return w.DB.QueryRow(ctx, "SELECT email FROM provisioning.accounts WHERE id = $1", id).Scan(&email)
		}},
		{"grpc", func(context.Context) error {
			a, err := provisioning.CheckAccess(app, &provisioningv1.CheckAccessRequest{AccountId: id})
			if err == nil && !a.GetActive() {
				err = fmt.Errorf("answered %v", a)
			}
			return err
		}},
		{"rest", func(context.Context) error { _, err := rest("", http.StatusOK); return err }},
		{"rest-304", func(context.Context) error { _, err := rest(etag, http.StatusNotModified); return err }},
	}
	took := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			began := time.Now()
			if err := way.ask(b.Context()); err != nil {
				b.Fatalf("%s: %v", way.name, err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	var bare time.Duration
	for i, way := range ways {
		slices.Sort(took[i])
		median := took[i][len(took[i])/2]
		if i == 0 {
			bare = median
		}
		b.ReportMetric(float64(median.Microseconds()), way.name+"-µs")
		b.ReportMetric(float64(median)/float64(bare), way.name+"/select")
	}
}
