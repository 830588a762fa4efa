// Package grpcserver builds the one kind of server that every service runs:
// typed errors, access rules, validated requests, deadlines, health and
// reflection, one log line per call.
package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/metrics"
	"makegood.example/services/platform/mtls"
	"makegood.example/services/platform/tracing"
)

// MaxMessageBytes bounds a request; the largest is a webhook of 1 MiB.
const MaxMessageBytes = 2 << 20

// windowBytes is how much of a call, and of a connection, may be on its way.
const windowBytes = 4 << 20

// streamWorkers is how many goroutines wait for calls.
const streamWorkers = 16

// pingsApart is half of what our own clients leave between two pings: a clock that
// runs a little fast is no flood.
const pingsApart = 5 * time.Second

// drainFor is how long calls in hand may take when the service is told to stop.
const drainFor = 7 * time.Second

// Config is what differs between services.
type Config struct {
	Name     string
	Listener net.Listener
	Access   access.Table
	Tokens   *access.Tokens
	// Certificates turn TLS on; nil is plain, for loopback.
	Certificates *mtls.Folder
	// Ready says whether the service can do its work; asked every second and
	// told as gRPC health.
	Ready func(context.Context) error
	// Metrics counts the calls; nil counts none.
	Metrics *metrics.RPC
	Log     *slog.Logger
}

// Server is a gRPC server to register services on, then Serve.
type Server struct {
	*grpc.Server
	cfg    Config
	health *health.Server
}

// New builds the server.
func New(cfg Config) (*Server, error) {
	// What it compiles for a kind of request serves all servers of a process.
	validator := protovalidate.GlobalValidator
	s := &Server{cfg: cfg, health: health.NewServer()}
	s.Server = grpc.NewServer(append(tracing.Server(),
		grpc.Creds(cfg.Certificates.Server()),
		grpc.KeepaliveParams(connectionAge(cfg.Certificates)),
		grpc.MaxRecvMsgSize(MaxMessageBytes),
		grpc.MaxConcurrentStreams(1000),
		// Fixed windows: messages are small, and measuring the network between
		// two services costs more than it gains.
		grpc.InitialWindowSize(windowBytes),
		grpc.InitialConnWindowSize(windowBytes),
		// Calls run on goroutines that stay: a new one would first have to grow its
		// stack for each of them. More calls than that get new ones.
		grpc.NumStreamWorkers(streamWorkers),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsApart, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(
			cfg.Metrics.ServerUnary,
			logAndMapErrors(cfg.Log), // sees what everything below decided
			recoverPanics(cfg.Log),
			boundDeadline,
			checkAccess(cfg.Access, cfg.Tokens),
			validate(validator),
		),
		grpc.ChainStreamInterceptor(cfg.Metrics.ServerStream, guardStreams(cfg, validator)),
	)...)
	healthv1.RegisterHealthServer(s.Server, s.health)
	reflection.Register(s.Server)
	return s, nil
}

// A connection over TLS is made anew after a while, so that whoever was called
// by a certificate that has ended does not stay connected.
const (
	connectionAgeMost   = 15 * time.Minute
	connectionAgeMargin = 2 * time.Minute // for the calls in hand
)

func connectionAge(certificates *mtls.Folder) keepalive.ServerParameters {
	if certificates == nil {
		return keepalive.ServerParameters{}
	}
	return keepalive.ServerParameters{MaxConnectionAge: connectionAgeMost, MaxConnectionAgeGrace: connectionAgeMargin}
}

// infrastructure services need no rule: they say nothing about anyone.
var infrastructure = []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}

// checkCovered refuses an RPC without a rule, and a rule without an RPC.
func (s *Server) checkCovered() error {
	left := map[string]bool{}
	for method := range s.cfg.Access {
		left[method] = true
	}
	var problems []error
	for service, info := range s.GetServiceInfo() {
		if isInfrastructure(service) {
			continue
		}
		for _, m := range info.Methods {
			full := "/" + service + "/" + m.Name
			if !left[full] {
				problems = append(problems, fmt.Errorf("%s has no access rule", full))
			}
			delete(left, full)
		}
	}
	for method := range left {
		problems = append(problems, fmt.Errorf("the access rule %s names no RPC of this server", method))
	}
	return errors.Join(problems...)
}

func isInfrastructure(service string) bool {
	for _, s := range infrastructure {
		if s == service {
			return true
		}
	}
	return false
}

// Serve serves until ctx ends, then drains. It refuses to begin when an RPC
// has no access rule.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.checkCovered(); err != nil {
		return err
	}
	go s.tellHealth(ctx)
	served := make(chan error, 1)
	go func() { served <- s.Server.Serve(s.cfg.Listener) }()
	s.cfg.Log.Info("serving", "address", s.cfg.Listener.Addr().String())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.health.Shutdown()
	drained := make(chan struct{})
	go func() { s.GracefulStop(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(drainFor):
		s.cfg.Log.Warn("calls in hand took too long to drain; they are dropped and recovered later")
		s.Stop()
	}
	return nil
}

// Serving is what the server says of its own health.
func (s *Server) Serving() bool {
	said, err := s.health.Check(context.Background(), &healthv1.HealthCheckRequest{})
	return err == nil && said.GetStatus() == healthv1.HealthCheckResponse_SERVING
}

func (s *Server) tellHealth(ctx context.Context) {
	said := healthv1.HealthCheckResponse_UNKNOWN
	for {
		status := healthv1.HealthCheckResponse_SERVING
		check, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := s.cfg.Ready(check)
		cancel()
		if err != nil {
			status = healthv1.HealthCheckResponse_NOT_SERVING
		}
		if ctx.Err() != nil {
			return
		}
		if status != said {
			if err != nil {
				s.cfg.Log.Warn("not ready", "error", err)
			} else {
				s.cfg.Log.Info("ready")
			}
			said = status
		}
		s.health.SetServingStatus("", status)
		for service := range s.GetServiceInfo() {
			if !strings.HasPrefix(service, "grpc.") {
				s.health.SetServingStatus(service, status)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}
