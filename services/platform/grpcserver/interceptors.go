package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/tracing"
)

// logAndMapErrors writes one line per call and lets only typed errors out.
func logAndMapErrors(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if strings.HasPrefix(info.FullMethod, "/grpc.") {
			return handler(ctx, req)
		}
		began := time.Now()
		resp, err := handler(ctx, req)
		err = pg.Typed(err)
		code := apperr.CodeOf(err)
		level := slog.LevelInfo
		args := []any{"method", info.FullMethod, "code", code.String(), "duration_ms", time.Since(began).Milliseconds()}
		if id := orderOf(req, resp); id != "" {
			args = append(args, "order_id", id)
			tracing.About(ctx, id)
		}
		if err != nil {
			args = append(args, "error", err.Error())
			if code == codes.Internal || code == codes.Unknown {
				level = slog.LevelError
			}
		}
		log.Log(ctx, level, "rpc", args...)
		return resp, apperr.ToStatus(err)
	}
}

// orderOf is the order that a call is about: the one that is named, or answered.
func orderOf(req, resp any) string {
	for _, m := range []any{req, resp} {
		if r, ok := m.(interface{ GetOrderId() string }); ok && r.GetOrderId() != "" {
			return r.GetOrderId()
		}
	}
	if r, ok := resp.(interface {
		GetId() string
		GetReferenceShort() string
	}); ok {
		return r.GetId()
	}
	return ""
}

func recoverPanics(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if r := recover(); r != nil {
				log.ErrorContext(ctx, "panic", "method", info.FullMethod, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
				err = errors.New("panic")
			}
		}()
		return handler(ctx, req)
	}
}

// Every call has a deadline; the server keeps a little of what the caller gave,
// so that its answer still arrives, and begins nothing it cannot finish.
const (
	deadlineDefault = 30 * time.Second
	deadlineMargin  = 20 * time.Millisecond
	deadlineLeast   = 30 * time.Millisecond
)

func boundDeadline(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(deadlineDefault)
	}
	if time.Until(deadline) < deadlineLeast {
		return nil, apperr.New(codes.DeadlineExceeded, "DEADLINE_TOO_SHORT", "too little time was left to begin")
	}
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(-deadlineMargin))
	defer cancel()
	return handler(ctx, req)
}

func checkAccess(table access.Table, tokens *access.Tokens) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		for _, s := range infrastructure {
			if strings.HasPrefix(info.FullMethod, "/"+s+"/") {
				return handler(ctx, req)
			}
		}
		id, err := access.Check(ctx, info.FullMethod, table, tokens)
		if err != nil {
			return nil, err
		}
		return handler(access.With(ctx, id), req)
	}
}

func validate(v protovalidate.Validator) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if err := check(v, req); err != nil {
			return nil, err
		}
		return handler(ctx, req)
	}
}

// check says what is wrong with a request, field by field.
func check(v protovalidate.Validator, req any) error {
	msg, ok := req.(proto.Message)
	if !ok {
		return nil
	}
	err := v.Validate(msg)
	var invalid *protovalidate.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &invalid):
		return fmt.Errorf("validate: %w", err)
	}
	out := apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the request is not valid")
	for _, violation := range invalid.Violations {
		field := protovalidate.FieldPathString(violation.Proto.GetField())
		out.Violations = append(out.Violations, apperr.Violation{Field: field, Description: violation.Proto.GetMessage()})
		if len(out.Violations) == 1 {
			out.Message = field + ": " + violation.Proto.GetMessage()
		}
	}
	return out
}
