// Package apperr is the one error type that crosses service boundaries: a gRPC
// code, a reason that programs compare, and metadata. On the wire it is a
// google.rpc.ErrorInfo; on the other side it is this type again.
package apperr

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
)

// Domain is the ErrorInfo domain of every error we define.
const Domain = "makegood"

// Violation says what is wrong with one field of a request.
type Violation struct {
	Field       string
	Description string
}

// Error is a failure that its reader can act on. Message is written for people
// and may be shown to them; the cause is for the log and never leaves the
// process.
type Error struct {
	Code       codes.Code
	Reason     string
	Message    string
	Metadata   map[string]string
	Violations []Violation
	cause      error
}

// New makes an error with a reason; message is shown to the caller.
func New(code codes.Code, reason, message string) *Error {
	return &Error{Code: code, Reason: reason, Message: message}
}

// Invalid is an INVALID_ARGUMENT about one field.
func Invalid(field, description string) *Error {
	return &Error{
		Code: codes.InvalidArgument, Reason: "INVALID_ARGUMENT",
		Message:    field + ": " + description,
		Violations: []Violation{{Field: field, Description: description}},
	}
}

// With returns a copy that carries one more piece of metadata.
func (e *Error) With(key, value string) *Error {
	c := *e
	c.Metadata = maps.Clone(e.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	c.Metadata[key] = value
	return &c
}

// Because returns a copy that remembers its cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %s", e.Code, e.Reason, e.Message)
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is compare reasons, so that an error that came over the wire
// equals the variable it was made from.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && e.Reason != "" && e.Reason == t.Reason
}

// Of returns the typed error in err's chain, or nil.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// CodeOf returns the gRPC code that err has, or will have on the wire.
func CodeOf(err error) codes.Code {
	switch e := Of(err); {
	case err == nil:
		return codes.OK
	case e != nil:
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	default:
		return codes.Internal
	}
}

// ToStatus turns any error into what may leave the process. What is not typed
// becomes a bare INTERNAL: its text was written for us, not for the caller.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	e := Of(err)
	if e == nil || e.Reason == "" { // not typed, or a peer's that was not: gRPC's own text names our machines
		switch code := CodeOf(err); code {
		case codes.DeadlineExceeded:
			return status.Error(code, "the deadline passed before an answer was known")
		case codes.Canceled:
			return status.Error(code, "the caller went away")
		case codes.Unavailable:
			// With a reason, so that it is not taken for our own connection's failure
			// and asked again at every hop.
			return ToStatus(New(code, "PEER_UNAVAILABLE", "the service cannot answer at the moment"))
		default:
			return status.Error(code, "internal error")
		}
	}
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: e.Reason, Domain: Domain, Metadata: e.Metadata}}
	if len(e.Violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range e.Violations {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Description})
		}
		details = append(details, bad)
	}
	st, detailErr := status.New(e.Code, e.Message).WithDetails(details...)
	if detailErr != nil {
		return status.Error(e.Code, e.Message)
	}
	return st.Err()
}

// FromStatus turns an error received over gRPC back into the typed one.
func FromStatus(err error) error {
	if err == nil || Of(err) != nil {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	e := &Error{Code: st.Code(), Message: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == Domain {
				e.Reason, e.Metadata = d.GetReason(), d.GetMetadata()
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Violations = append(e.Violations, Violation{Field: v.GetField(), Description: v.GetDescription()})
			}
		}
	}
	return e
}
