package stripesim_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"makegood.example/deploy/stripesim"
)

// benchServer calls a simulator without a network between.
type benchServer struct {
	b       *testing.B
	handler http.Handler
}

func bench(b *testing.B, server *stripesim.Server) *benchServer {
	return &benchServer{b, server.Handler()}
}

func (s *benchServer) get(target string) { s.do(httptest.NewRequest(http.MethodGet, target, nil)) }

func (s *benchServer) post(target, body string) {
	s.do(httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
}

func (s *benchServer) do(req *http.Request) {
	s.b.Helper()
	req.SetBasicAuth("sk_test_makegood", "")
	res := httptest.NewRecorder()
	s.handler.ServeHTTP(res, req)
	if res.Code != http.StatusOK {
		s.b.Fatal(res.Code, res.Body.String())
	}
}
