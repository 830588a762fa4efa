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

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
)

// guardStreams is for a streaming call what the chain of interceptors is for a
// plain one: one log line, typed errors only, no panic, access rules, a valid
// request. It has no deadline but its caller's: a stream ends when its caller goes.
func guardStreams(cfg Config, v protovalidate.Validator) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if strings.HasPrefix(info.FullMethod, "/grpc.") {
			return handler(srv, stream)
		}
		began := time.Now()
		err := pg.Typed(serveStream(cfg, v, srv, stream, info, handler))
		args := []any{"method", info.FullMethod, "code", apperr.CodeOf(err).String(), "duration_ms", time.Since(began).Milliseconds()}
		if err != nil {
			args = append(args, "error", err.Error())
		}
		cfg.Log.Log(stream.Context(), slog.LevelInfo, "rpc", args...)
		return apperr.ToStatus(err)
	}
}

func serveStream(cfg Config, v protovalidate.Validator, srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			cfg.Log.ErrorContext(stream.Context(), "panic", "method", info.FullMethod, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	id, err := access.Check(stream.Context(), info.FullMethod, cfg.Access, cfg.Tokens)
	if err != nil {
		return err
	}
	return handler(srv, &guardedStream{ServerStream: stream, ctx: access.With(stream.Context(), id), validator: v})
}

// guardedStream knows who calls, and hands on only valid requests.
type guardedStream struct {
	grpc.ServerStream
	ctx       context.Context
	validator protovalidate.Validator
}

func (s *guardedStream) Context() context.Context { return s.ctx }

func (s *guardedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return check(s.validator, m)
}
