package stripegw

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Stripe shows the first lines of an invoice with it. The one that says which period
// is paid may be on the last page of the others.
func TestTheTermIsFoundOnWhicheverPageOfLinesItIs(t *testing.T) {
	t.Parallel()
	const all, shown = 230, 10
	start := time.Date(2027, 1, 31, 9, 0, 0, 0, time.UTC)
	end := start.AddDate(0, 1, 0)
	line := func(i int) string {
		return fmt.Sprintf(`{"id":"il_%d","object":"line_item","type":"subscription","proration":%v,"period":{"start":%d,"end":%d}}`,
			i, i < all-1, start.Unix(), end.Unix())
	}
	page := func(from, n int) string {
		var lines []string
		for i := from; i < min(from+n, all); i++ {
			lines = append(lines, line(i))
		}
		return fmt.Sprintf(`{"object":"list","data":[%s],"has_more":%v,"url":"/v1/invoices/in_1/lines"}`, strings.Join(lines, ","), from+n < all)
	}
	broken := false
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v1/invoices":
			_, _ = fmt.Fprintf(w, `{"object":"list","has_more":false,"url":"/v1/invoices","data":[
				{"id":"in_1","object":"invoice","status":"paid","subscription":"sub_1","lines":%s}]}`, page(0, shown))
		case "/v1/invoices/in_1/lines":
			from := 0
			if after := r.URL.Query().Get("starting_after"); after != "" {
				_, _ = fmt.Sscanf(after, "il_%d", &from)
				from++
			}
			if broken && from > 0 {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprint(w, `{"error":{"type":"invalid_request_error","message":"no"}}`)
				return
			}
			_, _ = fmt.Fprint(w, page(from, 100))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(stripe.Close)
	g := New(Config{SecretKey: "sk_test_example", BaseURL: stripe.URL, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	invoices, err := g.ListInvoices(t.Context(), "sub_1", time.Time{})
	if err != nil || len(invoices) != 1 {
		t.Fatalf("%d invoices, %v", len(invoices), err)
	}
	if term := invoices[0].Term; term.SubscriptionID != "sub_1" || term.InvoiceID != "in_1" || !term.Start.Equal(start) || !term.End.Equal(end) {
		t.Errorf("the term is %+v", term)
	}
	broken = true
	if _, err := g.ListInvoices(t.Context(), "sub_1", time.Time{}); err == nil {
		t.Error("a page of lines could not be read, and the invoice counts as read")
	}
}
