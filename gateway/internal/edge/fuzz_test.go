package edge

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// Whatever body comes, it is a request or a 400 that says so: never a failure of
// ours, and never words that the sender chose, but for the name of a field.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", "[]", "{", `{"plan_id":"annual","email":"jane@example.com"}`, `{"plan_id":7}`, `{"allow_repeats":true}`, `{"plan_id":"a","plan_id":"b"}`,
		`{"checkout":"NONE"}`, `{"checkout":99}`, `{"email":"\ud800"}`, "\xff", `{"name":{"a":[1,2,{}]}}`, strings.Repeat(`{"a":`, 200), `{"allow_repeat":"yes"}`, `{"planId":"annual"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var request ordersv1.PlaceOrderRequest
		err := marshaler.NewDecoder(bytes.NewReader(body)).Decode(&request)
		if err == nil || errors.Is(err, io.EOF) {
			if _, err := proto.Marshal(&request); err != nil {
				t.Errorf("%q is taken and cannot be carried: %v", body, err)
			}
			return
		}
		// As grpc-gateway wraps it.
		httpStatus, e := classify(status.Errorf(codes.InvalidArgument, "%v", err))
		if httpStatus != http.StatusBadRequest || e.Reason != "INVALID_ARGUMENT" {
			t.Errorf("%q: %d %v", body, httpStatus, e)
		}
		if said := e.Message; len(said) > 200 {
			t.Errorf("%q is answered with %q", body, said)
		}
	})
}

// Whatever is in the headers that name a client, its address is one of the hops
// that are there, and nobody is trusted for what they say of themselves.
func FuzzForwardedFor(f *testing.F) {
	for _, header := range []string{"", "192.0.2.1", "192.0.2.1, 10.0.0.7", "::1", "a,b,c", ",,,", "::ffff:192.0.2.1", "fe80::1%eth0", "192.0.2.1:80"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "198.51.100.9:1234"
		r.Header.Set("X-Forwarded-For", header)
		if ip := clientIP(r, nil); ip.String() != "198.51.100.9" {
			t.Errorf("%q makes a stranger %s", header, ip)
		}
		if from := network(clientIP(r, nil)); !from.IsValid() {
			t.Errorf("%q has no network", header)
		}
	})
}
