package peertest

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"makegood.example/services/platform/access"
)

// Script decides what single calls are answered, instead of the peers' own
// answers, and remembers what was asked.
type Script struct {
	mu      sync.Mutex
	answers map[string]func(context.Context, proto.Message) (proto.Message, error)
	asked   []Asked
}

// Asked is one call that came to a peer: the method without its service, who asked
// and with what.
type Asked struct {
	Method  string
	Actor   string
	Request proto.Message
}

// On answers every call of a method, such as "LookupCustomer", from now on.
func (s *Script) On(method string, answer func(context.Context, proto.Message) (proto.Message, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = map[string]func(context.Context, proto.Message) (proto.Message, error){}
	}
	s.answers[method] = answer
}

// Say answers every call of a method with the same.
func (s *Script) Say(method string, answer proto.Message, err error) {
	s.On(method, func(context.Context, proto.Message) (proto.Message, error) { return answer, err })
}

// Asked are the calls of a method so far.
func (s *Script) Asked(method string) (calls []Asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if a.Method == method {
			calls = append(calls, a)
		}
	}
	return calls
}

// Forget forgets what was asked.
func (s *Script) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
}

func (s *Script) take(ctx context.Context, method string, req proto.Message) func(context.Context, proto.Message) (proto.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, Asked{method, access.From(ctx).Actor, req})
	return s.answers[method]
}

// scripted is a service whose calls the script may answer, after access and
// validation were checked as ever.
func scripted(desc grpc.ServiceDesc, script *Script) *grpc.ServiceDesc {
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		usual := m.Handler
		methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			return usual(srv, ctx, decode, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				answer := func(ctx context.Context, req any) (any, error) {
					if said := script.take(ctx, m.MethodName, req.(proto.Message)); said != nil {
						return said(ctx, req.(proto.Message))
					}
					return handler(ctx, req)
				}
				if interceptor == nil {
					return answer(ctx, req)
				}
				return interceptor(ctx, req, info, answer)
			})
		}}
	}
	desc.Methods = methods
	return &desc
}

// deskRules are as in production: who may read is a viewer, who changes is support,
// and the charging switch is an admin's.
func deskRules(service *grpc.ServiceDesc, callers ...string) access.Table {
	table := rules(service, access.Rule{Callers: callers, Role: access.Support})
	for method, rule := range table {
		name := method[strings.LastIndex(method, "/")+1:]
		for _, read := range []string{"Get", "List", "Count", "WhoAmI", "Lookup", "Explain", "Describe"} {
			if strings.HasPrefix(name, read) {
				rule.Role = access.Viewer
			}
		}
		if name == "SetCharging" {
			rule.Role = access.Admin
		}
		table[method] = rule
	}
	return table
}
