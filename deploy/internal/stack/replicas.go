package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"makegood.example/services/platform/config"
)

// gateway is the program of the edge.
const gateway = "gateway"

// replica is one process of a service or of the gateway.
type replica struct {
	name    string // the first of a program has its name, the others a number more
	program string
	env     map[string]string // what it has for itself
}

// listens are the settings by which a program says where it listens.
func listens(program string) []string {
	if program == gateway {
		return []string{"HTTP_ADDR", "ADMIN_ADDR"}
	}
	return []string{grpcKey(program, "LISTEN")}
}

func grpcKey(service, what string) string { return strings.ToUpper(service) + "_GRPC_" + what }

// placeReplicas decides which processes there are, where each listens, and how
// each reaches the others.
func (s *Stack) placeReplicas(opts Options) error {
	if opts.Replicas > 1 && !opts.FreePorts {
		return errors.New("several replicas take ports of their own: FreePorts")
	}
	for _, program := range append(slices.Clone(services), gateway) {
		for n := range max(1, opts.Replicas) {
			r := replica{name: program, program: program, env: map[string]string{}}
			if n > 0 {
				r.name = fmt.Sprintf("%s-%d", program, n+1)
				free, err := freeAddresses(len(listens(program)))
				if err != nil {
					return err
				}
				for i, key := range listens(program) {
					r.env[key] = free[i]
				}
			}
			s.replicas = append(s.replicas, r)
		}
	}
	if opts.Replicas > 1 {
		for _, service := range services {
			var all []string
			for _, r := range s.of(service) {
				all = append(all, config.Dialable(s.listen(r, grpcKey(service, "LISTEN"))))
			}
			s.settings.env[grpcKey(service, "ADDR")] = strings.Join(all, ",")
		}
	}
	if opts.Link == nil {
		return nil
	}
	for _, from := range s.replicas {
		for _, service := range services {
			if service == from.program {
				continue
			}
			var ways []string
			for _, to := range s.of(service) {
				way, err := opts.Link(from.name, to.name, config.Dialable(s.listen(to, grpcKey(service, "LISTEN"))))
				if err != nil {
					return err
				}
				ways = append(ways, way)
			}
			from.env[grpcKey(service, "ADDR")] = strings.Join(ways, ",")
		}
	}
	return nil
}

// of are the replicas of a program.
func (s *Stack) of(program string) []replica {
	return slices.DeleteFunc(slices.Clone(s.replicas), func(r replica) bool { return r.program != program })
}

func (s *Stack) listen(r replica, key string) string {
	if addr := r.env[key]; addr != "" {
		return addr
	}
	return s.Env(key)
}

// runReplicas starts them all.
func (s *Stack) runReplicas(own map[string]map[string]string) error {
	for _, r := range s.replicas {
		env := maps.Clone(r.env)
		maps.Copy(env, own[r.program])
		if err := s.run(r.name, r.program, env); err != nil {
			return err
		}
	}
	return nil
}

// Replicas are the names of a program's processes.
func (s *Stack) Replicas(program string) (names []string) {
	for _, r := range s.of(program) {
		names = append(names, r.name)
	}
	return names
}

// URLs are the edges, one for each replica of the gateway.
func (s *Stack) URLs() (urls []string) {
	for _, r := range s.of(gateway) {
		urls = append(urls, "http://"+config.Dialable(s.listen(r, "HTTP_ADDR")))
	}
	return urls
}

// Ready asks a process of ours whether it can work: a service by its health, the
// gateway whether an order can be placed.
func (s *Stack) Ready(ctx context.Context, name string) error {
	for _, r := range s.replicas {
		switch {
		case r.name != name:
		case r.program == gateway:
			return answers("http://" + config.Dialable(s.listen(r, "HTTP_ADDR")) + "/readyz")(ctx)
		default:
			return s.Serves(ctx, r.program, config.Dialable(s.listen(r, grpcKey(r.program, "LISTEN"))))
		}
	}
	return fmt.Errorf("%s is no process of ours", name)
}

// Serves asks the health of a service, over whichever way leads to it.
func (s *Stack) Serves(ctx context.Context, service, addr string) error {
	return healthy(addr, s.tls.Client(service))(ctx)
}

// named are the names of replicas.
func named(all []replica) (names []string) {
	for _, r := range all {
		names = append(names, r.name)
	}
	return names
}
