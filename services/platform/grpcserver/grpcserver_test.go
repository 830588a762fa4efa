package grpcserver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	validatepb "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/metrics"
	"makegood.example/services/platform/metricstest"
	"makegood.example/services/platform/tracing"
)

const ask = "/test.v1.TestService/Ask"

// question is a message of a contract made for this test:
//
//	message Question { string order_id = 1 [min_len: 3]; repeated Part parts = 2; }
//	message Part { int32 size = 1 [gte: 1]; }
var question = func() protoreflect.MessageDescriptor {
	rules := func(r *validatepb.FieldRules) *descriptorpb.FieldOptions {
		o := &descriptorpb.FieldOptions{}
		proto.SetExtension(o, validatepb.E_Field, r)
		return o
	}
	optional, repeated := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("test.proto"), Package: new("test.v1"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: new("Part"), Field: []*descriptorpb.FieldDescriptorProto{{
				Name: new("size"), Number: new(int32(1)), Type: descriptorpb.FieldDescriptorProto_TYPE_INT32.Enum(), Label: &optional,
				Options: rules(validatepb.FieldRules_builder{Int32: validatepb.Int32Rules_builder{Gte: new(int32(1))}.Build()}.Build()),
			}}},
			{Name: new("Question"), Field: []*descriptorpb.FieldDescriptorProto{
				{
					Name: new("order_id"), Number: new(int32(1)), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: &optional,
					Options: rules(validatepb.FieldRules_builder{String: validatepb.StringRules_builder{MinLen: new(uint64(3))}.Build()}.Build()),
				},
				{Name: new("parts"), Number: new(int32(2)), Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), TypeName: new(".test.v1.Part"), Label: &repeated},
			}},
		},
	}, nil)
	if err != nil {
		panic(err)
	}
	return file.Messages().ByName("Question")
}()

// asking is a valid question, or one with these sizes of parts.
func asking(orderID string, sizes ...int32) proto.Message {
	m := dynamicpb.NewMessage(question)
	m.Set(question.Fields().ByName("order_id"), protoreflect.ValueOfString(orderID))
	parts := m.Mutable(question.Fields().ByName("parts")).List()
	for _, size := range sizes {
		part := parts.AppendMutable().Message()
		part.Set(part.Descriptor().Fields().ByName("size"), protoreflect.ValueOfInt32(size))
	}
	return m
}

// service is a server with one RPC, Ask, that the test answers.
func service(answer func(context.Context) error, methods ...string) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: "test.v1.TestService", HandlerType: (*any)(nil)}
	for _, name := range methods {
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: name,
			Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
				in := dynamicpb.NewMessage(question)
				if err := decode(in); err != nil {
					return nil, err
				}
				return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/test.v1.TestService/" + name},
					func(ctx context.Context, _ any) (any, error) { return &emptypb.Empty{}, answer(ctx) })
			}})
	}
	return desc
}

// logged is what the server has logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type running struct {
	addr    string
	log     *logged
	told    *metrics.Set
	stop    func() error
	ready   atomic.Bool
	serving func() bool
}

func start(t *testing.T, table access.Table, desc *grpc.ServiceDesc) *running {
	t.Helper()
	return startWith(t, table, desc, func(*grpcserver.Config) {})
}

// startFor is start with credentials.
func startFor(t *testing.T, table access.Table, tokens *access.Tokens, desc *grpc.ServiceDesc) *running {
	t.Helper()
	return startWith(t, table, desc, func(c *grpcserver.Config) { c.Tokens = tokens })
}

func startWith(t *testing.T, table access.Table, desc *grpc.ServiceDesc, change func(*grpcserver.Config)) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{addr: listener.Addr().String(), log: &logged{}, told: metrics.New("test")}
	r.ready.Store(true)
	cfg := grpcserver.Config{
		Name: "test", Listener: listener, Access: table, Log: slog.New(slog.NewTextHandler(r.log, nil)), Metrics: r.told.RPC,
		Ready: func(context.Context) error {
			if !r.ready.Load() {
				return errors.New("not yet")
			}
			return nil
		},
	}
	change(&cfg)
	server, err := grpcserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server.RegisterService(desc, nil)
	r.serving = server.Serving
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = r.stop() })
	return r
}

var open = access.Table{ask: {Callers: []string{"friend"}}}

func (r *running) dial(t *testing.T, caller string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpcclient.Dial(r.addr, caller, nil, r.told.RPC.Dialed()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// raw is a connection without any of our client's habits.
func (r *running) raw(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func asked(t *testing.T, ctx context.Context, conn *grpc.ClientConn, in proto.Message) error {
	t.Helper()
	return conn.Invoke(ctx, ask, in, &emptypb.Empty{})
}

func TestATypedErrorArrivesTyped(t *testing.T) {
	errTaken := apperr.New(codes.Aborted, "NAME_TAKEN", "this name is taken")
	var answer error
	r := start(t, open, service(func(context.Context) error { return answer }, "Ask"))
	conn := r.dial(t, "friend")

	answer = fmt.Errorf("reading the names: %w", errTaken.With("name", "jane").Because(errors.New("hunter2")))
	err := asked(t, t.Context(), conn, asking("abc"))
	e := apperr.Of(err)
	if !errors.Is(err, errTaken) || e.Code != codes.Aborted || e.Message != "this name is taken" || e.Metadata["name"] != "jane" {
		t.Errorf("%v", err)
	}
	answer = apperr.Invalid("email", "is nobody's")
	if e := apperr.Of(asked(t, t.Context(), conn, asking("abc"))); e == nil || len(e.Violations) != 1 || e.Violations[0] != (apperr.Violation{Field: "email", Description: "is nobody's"}) {
		t.Errorf("%+v", e)
	}
	answer = errors.New("relation hunter2 does not exist")
	err = asked(t, t.Context(), conn, asking("abc"))
	if e := apperr.Of(err); e == nil || e.Code != codes.Internal || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	// For us, the log keeps what the caller is not told; one line each.
	if log := r.log.String(); strings.Count(log, "relation hunter2") != 1 || strings.Count(log, "msg=rpc") != 3 {
		t.Errorf("the log:\n%s", log)
	}
}

func TestAPanicIsAnErrorAndNotTheEnd(t *testing.T) {
	broken := true
	r := start(t, open, service(func(context.Context) error {
		if broken {
			panic("hunter2")
		}
		return nil
	}, "Ask"))
	conn := r.dial(t, "friend")
	err := asked(t, t.Context(), conn, asking("abc"))
	if apperr.CodeOf(err) != codes.Internal || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	broken = false
	if err := asked(t, t.Context(), conn, asking("abc")); err != nil {
		t.Errorf("after the panic: %v", err)
	}
	_ = r.stop()
	if !strings.Contains(r.log.String(), "hunter2") || !strings.Contains(r.log.String(), "stack=") {
		t.Errorf("the log says nothing of it:\n%s", r.log)
	}
}

func TestTheContractIsChecked(t *testing.T) {
	called := false
	r := start(t, open, service(func(context.Context) error { called = true; return nil }, "Ask"))
	conn := r.dial(t, "friend")
	err := asked(t, t.Context(), conn, asking("x", 1, 0))
	e := apperr.Of(err)
	if e == nil || e.Code != codes.InvalidArgument || e.Reason != "INVALID_ARGUMENT" || len(e.Violations) != 2 || called {
		t.Fatalf("%v, called %t", err, called)
	}
	if e.Violations[0].Field != "order_id" || e.Violations[1].Field != "parts[1].size" || !strings.HasPrefix(e.Message, "order_id: ") {
		t.Errorf("%+v", e)
	}
	if err := asked(t, t.Context(), conn, asking("xyz", 1)); err != nil || !called {
		t.Errorf("a valid one: %v", err)
	}
}

func TestAStrangerIsRefusedBeforeAnythingIsSaidOfTheirRequest(t *testing.T) {
	r := start(t, open, service(func(context.Context) error { return nil }, "Ask"))
	if err := asked(t, t.Context(), r.dial(t, "stranger"), asking("x")); apperr.CodeOf(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
	if err := asked(t, t.Context(), r.raw(t), asking("x")); status.Code(err) != codes.Unauthenticated {
		t.Errorf("%v", err)
	}
	// Whoever forwards a request must not let it say who they are.
	forged := metadata.AppendToOutgoingContext(t.Context(), access.CallerKey, "friend")
	if err := asked(t, forged, r.dial(t, "stranger"), asking("xyz")); apperr.CodeOf(err) != codes.PermissionDenied {
		t.Errorf("with a forged name: %v", err)
	}
}

func TestEveryCallHasADeadline(t *testing.T) {
	var left time.Duration
	var calls atomic.Int64
	r := start(t, open, service(func(ctx context.Context) error {
		calls.Add(1)
		deadline, ok := ctx.Deadline()
		if !ok {
			return errors.New("no deadline")
		}
		left = time.Until(deadline)
		return nil
	}, "Ask"))
	friend := metadata.AppendToOutgoingContext(t.Context(), access.CallerKey, "friend")
	if err := asked(t, friend, r.raw(t), asking("abc")); err != nil || left > 30*time.Second || left < 25*time.Second {
		t.Errorf("a caller that gave none: %s, %v", left, err)
	}
	conn := r.dial(t, "friend")
	if err := asked(t, t.Context(), conn, asking("abc")); err != nil || left > grpcclient.DefaultTimeout || left < grpcclient.DefaultTimeout/2 {
		t.Errorf("our client that was given none: %s, %v", left, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := asked(t, ctx, conn, asking("abc")); err != nil || left > 3*time.Second-20*time.Millisecond || left < 2*time.Second {
		t.Errorf("of three seconds the work has %s, %v", left, err)
	}
	before := calls.Load()
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
		if err := asked(t, ctx, conn, asking("abc")); apperr.CodeOf(err) != codes.DeadlineExceeded {
			t.Errorf("too little time: %v", err)
		}
		cancel()
	}
	_ = r.stop()
	if calls.Load() != before {
		t.Errorf("began %d times what could not be finished", calls.Load()-before)
	}
	if !strings.Contains(r.log.String(), "DEADLINE_TOO_SHORT") {
		t.Errorf("the log:\n%s", r.log)
	}
}

func TestARuleForEveryRPCAndAnRPCForEveryRule(t *testing.T) {
	rule := access.Rule{Callers: []string{"friend"}}
	for name, c := range map[string]struct {
		table   access.Table
		methods []string
		wants   []string
	}{
		"two RPCs without a rule": {open, []string{"Ask", "Tell", "Shout"}, []string{"/test.v1.TestService/Tell has no access rule", "/test.v1.TestService/Shout has no access rule"}},
		"a rule without an RPC":   {access.Table{ask: rule, "/test.v1.TestService/Gone": rule}, []string{"Ask"}, []string{"/test.v1.TestService/Gone names no RPC"}},
		"no table":                {nil, []string{"Ask"}, []string{ask + " has no access rule"}},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			server, err := grpcserver.New(grpcserver.Config{Name: "test", Listener: listener, Access: c.table, Log: slog.New(slog.DiscardHandler),
				Ready: func(context.Context) error { return nil }})
			if err != nil {
				t.Fatal(err)
			}
			server.RegisterService(service(nil, c.methods...), nil)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err = server.Serve(ctx)
			for _, want := range c.wants {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	r := start(t, open, service(nil, "Ask"))
	health := healthv1.NewHealthClient(r.raw(t)) // anyone may ask
	await := func(want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			var got [2]healthv1.HealthCheckResponse_ServingStatus
			for i, service := range []string{"", "test.v1.TestService"} {
				resp, _ := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
				got[i] = resp.GetStatus()
			}
			if got[0] == want && got[1] == want && r.serving() == (want == healthv1.HealthCheckResponse_SERVING) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v, want %s", got, want)
			}
		}
	}
	await(healthv1.HealthCheckResponse_SERVING)
	r.ready.Store(false)
	await(healthv1.HealthCheckResponse_NOT_SERVING)
	r.ready.Store(true)
	await(healthv1.HealthCheckResponse_SERVING)
}

func TestACallInHandIsFinishedWhenTheServerStops(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	r := start(t, open, service(func(context.Context) error { close(begun); <-finish; return nil }, "Ask"))
	conn := r.dial(t, "friend")
	answered := make(chan error, 1)
	go func() { answered <- conn.Invoke(t.Context(), ask, asking("abc"), &emptypb.Empty{}) }()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	select {
	case <-stopped:
		t.Fatal("stopped with a call in hand")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	if err := <-answered; err != nil {
		t.Errorf("the call in hand: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestCallsAreCountedOnBothSides(t *testing.T) {
	var answer error
	r := start(t, open, service(func(context.Context) error { return answer }, "Ask"))
	conn := r.dial(t, "friend")
	_ = asked(t, t.Context(), conn, asking("abc"))
	_ = asked(t, t.Context(), conn, asking("abc"))
	answer = apperr.New(codes.Aborted, "NAME_TAKEN", "this name is taken")
	_ = asked(t, t.Context(), conn, asking("abc"))
	_ = asked(t, t.Context(), r.dial(t, "stranger"), asking("abc"))
	_, _ = healthv1.NewHealthClient(r.raw(t)).Check(t.Context(), &healthv1.HealthCheckRequest{})

	addr := metricstest.Addr(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.told.Serve(ctx, addr, nil, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() { stop(); <-ended })
	told := metricstest.Scrape(t, addr)
	for _, side := range []string{"server", "client"} {
		for code, want := range map[string]float64{"OK": 2, "Aborted": 1, "PermissionDenied": 1} {
			told.Want(t, want, "makegood_rpc_"+side+"_calls_total", "method", "test.v1.TestService/Ask", "code", code)
		}
		told.Want(t, 4, "makegood_rpc_"+side+"_seconds") // and no other method's: health is not about our work
	}
}

// Without a collector, too: by this the lines of all services about one request join.
func TestACallBelongsToItsCallersTrace(t *testing.T) {
	var told string
	r := start(t, open, service(func(ctx context.Context) error { told = tracing.Parent(ctx); return nil }, "Ask"))
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	if err := asked(t, tracing.Under(t.Context(), parent), r.dial(t, "friend"), asking("abc")); err != nil || told != parent {
		t.Errorf("it was told %q, %v", told, err)
	}
}
