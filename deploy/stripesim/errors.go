package stripesim

import (
	"fmt"
	"net/http"
)

// Error is Stripe's error object, with the HTTP status it travels under.
type Error struct {
	Charge        string         `json:"charge,omitempty"`
	Code          string         `json:"code,omitempty"`
	DeclineCode   string         `json:"decline_code,omitempty"`
	DocURL        string         `json:"doc_url,omitempty"`
	Message       string         `json:"message"`
	Param         string         `json:"param,omitempty"`
	PaymentIntent *PaymentIntent `json:"payment_intent,omitempty"`
	PaymentMethod *PaymentMethod `json:"payment_method,omitempty"`
	RequestLogURL string         `json:"request_log_url,omitempty"`
	Type          string         `json:"type"`

	status int
	// unstored: the request was refused before it began to execute, so that
	// Stripe does not keep the answer under the idempotency key.
	unstored bool
}

const (
	typeInvalidRequest = "invalid_request_error"
	typeCard           = "card_error"
	typeIdempotency    = "idempotency_error"
	typeAPI            = "api_error"
)

// errParam refuses a parameter before anything is executed.
func errParam(code, param, format string, args ...any) *Error {
	return &Error{status: http.StatusBadRequest, Type: typeInvalidRequest, Code: code, Param: param,
		Message: fmt.Sprintf(format, args...), unstored: true}
}

// errState is a 400 that came out of executing the request.
func errState(code, param, format string, args ...any) *Error {
	return &Error{status: http.StatusBadRequest, Type: typeInvalidRequest, Code: code, Param: param,
		Message: fmt.Sprintf(format, args...)}
}

// errMissing says that an object does not exist: 404 when the path named it,
// 400 when a parameter did.
func errMissing(status int, kind, id, param string, otherMode string) *Error {
	msg := fmt.Sprintf("No such %s: '%s'", kind, id)
	if otherMode != "" {
		used := map[string]string{"live": "test", "test": "live"}[otherMode]
		msg += fmt.Sprintf("; a similar object exists in %s mode, but a %s mode key was used to make this request.", otherMode, used)
	}
	return &Error{status: status, Type: typeInvalidRequest, Code: "resource_missing", Param: param, Message: msg}
}

func errStatus(status int) *Error {
	e := &Error{status: status, Type: typeAPI, unstored: true,
		Message: "An unknown error occurred: the simulator was told to fail this request."}
	switch status {
	case http.StatusConflict:
		e.Type, e.Code = typeInvalidRequest, "lock_timeout"
		e.Message = "This object cannot be accessed right now because another API request or Stripe process is currently accessing it."
	case http.StatusTooManyRequests:
		e.Type, e.Code = typeInvalidRequest, "rate_limit"
		e.Message = "Request rate limit exceeded."
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest, http.StatusNotFound:
		e.Type = typeInvalidRequest
	}
	return e
}
