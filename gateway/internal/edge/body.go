package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// MaxRESTBody bounds a REST request, MaxWebhookBody a delivery from Stripe;
// both in bytes.
const (
	MaxRESTBody    = 64 << 10
	MaxWebhookBody = 1 << 20
)

// firstRoom bounds what is set aside for a body before it is there.
const firstRoom = 16 << 10

var (
	errBodyTooLarge = apperr.New(codes.InvalidArgument, "BODY_TOO_LARGE", "the body is larger than this call accepts")
	errBodyUnread   = apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the body could not be read to its end")
	errNotJSON      = apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the body is not valid JSON")
	errMediaType    = apperr.New(codes.InvalidArgument, "UNSUPPORTED_MEDIA_TYPE", "send the body with Content-Type: application/json")
)

// boundBody reads a REST body within its limit and looks at its form, before
// grpc-gateway, which would lose the difference between too large, truncated
// and malformed. The page's form is no JSON and has a limit of its own.
func boundBody(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if r.URL.Path == pagePath {
			next(w, r, params)
			return
		}
		body, status, problem := readBody(w, r, MaxRESTBody)
		if problem != nil {
			writeError(w, r, status, problem)
			return
		}
		if len(body) > 0 || r.Header.Get("Content-Type") != "" {
			if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && (err != nil || mediaType != "application/json") {
				writeError(w, r, http.StatusUnsupportedMediaType, errMediaType)
				return
			}
		}
		if len(body) > 0 && !json.Valid(body) {
			writeError(w, r, http.StatusBadRequest, errNotJSON)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next(w, r, params)
	}
}

// readBody reads at most limit bytes, or says which error to answer with.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, int, *apperr.Error) {
	// What the sender announces is room enough; what it sends is what counts.
	room := min(max(r.ContentLength, 0), firstRoom)
	into := bytes.NewBuffer(make([]byte, 0, room+bytes.MinRead))
	_, err := into.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	body := into.Bytes()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, errBodyTooLarge
	case err != nil:
		return nil, http.StatusBadRequest, errBodyUnread
	}
	return body, 0, nil
}
