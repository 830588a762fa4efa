package apperr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"makegood.example/services/platform/apperr"
)

var errGone = apperr.New(codes.NotFound, "THING_NOT_FOUND", "there is no such thing")

func TestErrorsAreComparedByReason(t *testing.T) {
	for _, same := range []error{
		errGone, errGone.With("id", "1"), errGone.Because(errors.New("x")), fmt.Errorf("read: %w", errGone),
		apperr.New(codes.Internal, "THING_NOT_FOUND", "another text"),
		apperr.FromStatus(apperr.ToStatus(errGone)),
	} {
		if !errors.Is(same, errGone) {
			t.Errorf("%v is not %v", same, errGone)
		}
	}
	for _, other := range []error{
		apperr.New(codes.NotFound, "OTHER", "there is no such thing"), errors.New("there is no such thing"),
		&apperr.Error{Code: codes.NotFound}, nil,
	} {
		if errors.Is(other, errGone) {
			t.Errorf("%v is %v", other, errGone)
		}
	}
	// Two errors without a reason have nothing in common.
	if errors.Is(&apperr.Error{Code: codes.NotFound}, &apperr.Error{Code: codes.NotFound}) {
		t.Error("equal without a reason")
	}
}

func TestWithAndBecauseLeaveTheVariableAsItWas(t *testing.T) {
	one := errGone.With("id", "1")
	two := one.With("id", "2").With("more", "3")
	if len(errGone.Metadata) != 0 || one.Metadata["id"] != "1" || len(one.Metadata) != 1 || two.Metadata["id"] != "2" {
		t.Errorf("%v %v %v", errGone.Metadata, one.Metadata, two.Metadata)
	}
	cause := errors.New("the disk is full")
	if because := errGone.Because(cause); !errors.Is(because, cause) || errors.Is(errGone, cause) || !strings.Contains(because.Error(), "disk") {
		t.Errorf("%v, %v", because, errGone)
	}
}

func TestWhatLeavesTheProcess(t *testing.T) {
	cause := errors.New("password=hunter2")
	for name, c := range map[string]struct {
		err     error
		code    codes.Code
		message string
	}{
		"typed, with a cause": {errGone.Because(cause), codes.NotFound, "there is no such thing"},
		"wrapped":             {fmt.Errorf("password=hunter2: %w", errGone), codes.NotFound, "there is no such thing"},
		"unknown":             {cause, codes.Internal, "internal error"},
		"too late":            {fmt.Errorf("hunter2: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "the deadline passed before an answer was known"},
		"gone":                {fmt.Errorf("hunter2: %w", context.Canceled), codes.Canceled, "the caller went away"},
		// What gRPC itself says of a peer names our machines; it is not ours to pass on.
		"a peer that is away": {apperr.FromStatus(status.Error(codes.Unavailable, "dial tcp 127.0.0.1:9103: hunter2")), codes.Unavailable, "the service cannot answer at the moment"},
		"a peer's bug":        {apperr.FromStatus(status.Error(codes.Internal, "hunter2")), codes.Internal, "internal error"},
		"a peer too slow":     {apperr.FromStatus(status.Error(codes.DeadlineExceeded, "hunter2")), codes.DeadlineExceeded, "the deadline passed before an answer was known"},
	} {
		t.Run(name, func(t *testing.T) {
			st, _ := status.FromError(apperr.ToStatus(c.err))
			if st.Code() != c.code || st.Message() != c.message {
				t.Errorf("%s %q, want %s %q", st.Code(), st.Message(), c.code, c.message)
			}
			if strings.Contains(st.Proto().String(), "hunter2") {
				t.Errorf("tells %s", st.Proto())
			}
			if got := apperr.CodeOf(c.err); got != c.code {
				t.Errorf("code before leaving: %s", got)
			}
		})
	}
	if apperr.ToStatus(nil) != nil || apperr.FromStatus(nil) != nil || apperr.Of(nil) != nil || apperr.CodeOf(nil) != codes.OK {
		t.Error("nothing is something")
	}
}

func TestThereAndBackAgain(t *testing.T) {
	sent := &apperr.Error{
		Code: codes.Aborted, Reason: "R", Message: "m", Metadata: map[string]string{"state": "FAILED"},
		Violations: []apperr.Violation{{Field: "a", Description: "b"}, {Field: "c.d[0]", Description: "e"}},
	}
	got := apperr.Of(apperr.FromStatus(apperr.ToStatus(sent)))
	if got == nil || fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *sent) {
		t.Errorf("%+v, want %+v", got, sent)
	}
	foreign, _ := status.New(codes.NotFound, "m").WithDetails()
	if got := apperr.Of(apperr.FromStatus(foreign.Err())); got.Reason != "" || got.Code != codes.NotFound {
		t.Errorf("%+v", got)
	}
}
