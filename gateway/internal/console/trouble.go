package console

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// trouble is what could not be shown or done, in words. The rest of a page is drawn
// without it.
type trouble struct {
	// Text says what happened, Reason is the contract's name for it.
	Text, Reason string
	// Open: it is not known whether what was asked took effect.
	Open bool
	// Status is the HTTP status of a page that is about nothing else.
	Status int
}

// troubleOf says what an error of a service means for the reader of a page; nil
// for none.
func troubleOf(service string, err error) *trouble {
	if err == nil {
		return nil
	}
	e := apperr.Of(err)
	switch code := apperr.CodeOf(err); code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		if e != nil && e.Reason != "" && e.Reason != "PEER_UNAVAILABLE" {
			return &trouble{Text: sentence(e.Message), Reason: e.Reason, Status: http.StatusServiceUnavailable}
		}
		return &trouble{Text: service + " gives no answer right now.", Reason: "SERVICE_UNAVAILABLE", Status: http.StatusServiceUnavailable}
	case codes.PermissionDenied:
		return &trouble{Text: "Your role may not do that.", Reason: "PERMISSION_DENIED", Status: http.StatusForbidden}
	case codes.Unauthenticated:
		return &trouble{Text: "Your sign-in has ended. Sign in again.", Reason: "UNAUTHENTICATED", Status: http.StatusUnauthorized}
	case codes.Unimplemented:
		return &trouble{Text: service + " cannot do this in the version that is running.", Reason: "UNIMPLEMENTED", Status: http.StatusNotImplemented}
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return &trouble{Text: "Something went wrong in " + service + ". Its log says what.", Reason: "INTERNAL", Status: http.StatusInternalServerError}
	case codes.NotFound:
		return &trouble{Text: sentence(e.Message), Reason: e.Reason, Status: http.StatusNotFound}
	case codes.InvalidArgument:
		return &trouble{Text: sentence(e.Message), Reason: e.Reason, Status: http.StatusBadRequest}
	default:
		return &trouble{Text: sentence(e.Message), Reason: e.Reason, Status: http.StatusConflict}
	}
}

// actedTrouble is troubleOf for what a person wanted done: without an answer it may
// have happened all the same.
func actedTrouble(service string, err error) *trouble {
	t := troubleOf(service, err)
	switch apperr.CodeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown, codes.DataLoss:
		t.Open = true
	}
	return t
}

// sentence makes of a service's words a sentence.
func sentence(s string) string {
	if s == "" {
		return "No reason was given."
	}
	s = upperFirst(s)
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

// inTrouble draws a page that has nothing to show but why.
func (c *console) inTrouble(w http.ResponseWriter, r *http.Request, v *visit, nav, title string, t *trouble) {
	c.showAs(w, r, v, t.Status, "trouble", page{Title: title, Nav: nav, Body: t})
}

// nowhere is any address that is no page.
func (c *console) nowhere(w http.ResponseWriter, r *http.Request, v *visit) {
	c.inTrouble(w, r, v, "", "Nothing here", &trouble{Text: "There is no page at this address, or it does not take what was sent to it.", Reason: "NOT_FOUND", Status: http.StatusNotFound})
}
