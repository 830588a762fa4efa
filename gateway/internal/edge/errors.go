package edge

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"makegood.example/services/platform/apperr"
)

var (
	errNoRoute  = apperr.New(codes.NotFound, "NOT_FOUND", "there is nothing at this address")
	errNoMethod = apperr.New(codes.Unimplemented, "METHOD_NOT_ALLOWED", "this address does not answer to that method")
	errBadPath  = apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the address is malformed")
	errInternal = apperr.New(codes.Internal, "INTERNAL", "something went wrong on our side")

	errUnavailable = apperr.New(codes.Unavailable, "SERVICE_UNAVAILABLE", "no answer could be had right now")
)

// outcomeOpen is added where a request that may have taken effect got no
// answer: saying "failed" would invite a second payment.
const outcomeOpen = "; it is not known whether this request took effect. Repeating it exactly as it was does not charge twice."

// handleError writes what a call ended with.
func handleError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	httpStatus, e := classify(err)
	if r.Method == http.MethodPost && (e.Reason == errUnavailable.Reason || e.Reason == errInternal.Reason) {
		open := *e
		open.Message += outcomeOpen
		e = &open
	}
	if httpStatus == http.StatusTooManyRequests {
		// Services count what was tried within an hour.
		w.Header().Set("Retry-After", "3600")
	}
	writeError(w, r, httpStatus, e)
}

func handleRoutingError(_ context.Context, mux *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, httpStatus int) {
	if infoOf(r.Context()).probing {
		return
	}
	switch httpStatus {
	case http.StatusNotFound:
		writeError(w, r, httpStatus, errNoRoute)
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", allowedMethods(mux, w, r))
		writeError(w, r, httpStatus, errNoMethod)
	default:
		writeError(w, r, http.StatusBadRequest, errBadPath)
	}
}

// allowedMethods asks the routes themselves what an address answers to.
func allowedMethods(mux *runtime.ServeMux, w http.ResponseWriter, r *http.Request) string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		info := &requestInfo{probing: true}
		probe := r.Clone(context.WithValue(r.Context(), infoKey{}, info))
		probe.Method = method
		mux.ServeHTTP(w, probe)
		if info.route != "" {
			allowed = append(allowed, method)
		}
	}
	return strings.Join(allowed, ", ")
}

// classify chooses the HTTP status, and the words that may leave us. Without a
// reason an error is not one of ours: its text was written by a library, for
// us, and stays here.
func classify(err error) (int, *apperr.Error) {
	e := apperr.Of(err)
	if e == nil {
		return notFromService(err)
	}
	switch e.Code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		if e.Reason == "" {
			return http.StatusServiceUnavailable, recoded(errUnavailable, e.Code)
		}
		return http.StatusServiceUnavailable, e
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return http.StatusInternalServerError, errInternal
	}
	httpStatus := runtime.HTTPStatusFromCode(e.Code)
	if e.Reason == "" {
		e = apperr.New(e.Code, code.Code_name[int32(e.Code)], http.StatusText(httpStatus))
	}
	return httpStatus, e
}

func recoded(e *apperr.Error, c codes.Code) *apperr.Error {
	copied := *e
	copied.Code = c
	return &copied
}

// notFromService is about a request that grpc-gateway could not translate.
func notFromService(err error) (int, *apperr.Error) {
	var malformed *runtime.HTTPStatusError
	if errors.As(err, &malformed) {
		return http.StatusBadRequest, errBadPath
	}
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.InvalidArgument {
		return http.StatusInternalServerError, errInternal
	}
	if m := unknownField.FindStringSubmatch(st.Message()); m != nil {
		return http.StatusBadRequest, apperr.Invalid(m[1], "this call has no such field")
	}
	for _, p := range bodyProblems {
		if m := p.pattern.FindStringSubmatch(st.Message()); m != nil {
			return http.StatusBadRequest, apperr.Invalid(protoName(m[1]), p.description)
		}
	}
	return http.StatusBadRequest, apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the body does not have the form that this call takes")
}

// unknownField and bodyProblems find the field in protojson's complaints, which
// have no type. An unknown one is named as the caller wrote it.
var unknownField = regexp.MustCompile(`unknown field "([^"]{1,64})`)

var bodyProblems = []struct {
	pattern     *regexp.Regexp
	description string
}{
	{regexp.MustCompile(`duplicate field "([^"]{1,64})`), "given more than once"},
	{regexp.MustCompile(`invalid value for \w+ field ([\w.]{1,64})`), "the value is not of the right type"},
}

// protoName undoes the camel case in which protojson names a known field.
func protoName(field string) string {
	return upperCase.ReplaceAllStringFunc(field, func(c string) string { return "_" + strings.ToLower(c) })
}

var upperCase = regexp.MustCompile("[A-Z]")

// writeError writes the one shape of error that leaves the edge. Where the
// outcome is open, it carries the reference by which to ask again.
func writeError(w http.ResponseWriter, r *http.Request, httpStatus int, e *apperr.Error) {
	info := infoOf(r.Context())
	info.reason = e.Reason
	if httpStatus >= http.StatusInternalServerError && info.reference != "" {
		e = e.With("reference", info.reference)
	}
	if httpStatus == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="makegood"`)
	}
	body, err := marshaler.Marshal(status.Convert(apperr.ToStatus(e)).Proto())
	if err != nil {
		httpStatus, body = http.StatusInternalServerError, []byte(`{"code":13,"message":"internal error","details":[]}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpStatus)
	_, _ = w.Write(body) // the client may be gone; there is nobody else to tell
}
