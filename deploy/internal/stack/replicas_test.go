package stack

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestSeveralOfEach(t *testing.T) {
	t.Parallel()
	dir := stateFolder(t)
	links := map[string]string{}
	s, err := Start(t.Context(), Options{
		Dir: dir, BinDir: programs(t), Env: os.Environ(), FreePorts: true, Throwaway: true, Replicas: 2, Out: testOutput(t),
		Link: func(from, to, addr string) (string, error) {
			links[from+" "+to] = addr
			return "by-" + from + "-to-" + to + ":1", nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.Background()) })
	if got := s.Replicas("orders"); !slices.Equal(got, []string{"orders", "orders-2"}) {
		t.Errorf("replicas of orders: %v", got)
	}
	names := s.Names()
	if len(names) != len(everything)+6 || names[len(names)-1] != "gateway-2" {
		t.Errorf("runs %v", names)
	}
	addresses := map[string]bool{}
	for _, name := range names {
		program, _, _ := strings.Cut(name, "-")
		if slices.Contains(services, program) {
			env := environmentOf(t, s, name)
			addresses[env[grpcKey(program, "LISTEN")]] = true
			if env[strings.ToUpper(program)+"_DATABASE_URL"] == "" || env["STRIPE_SECRET_KEY"] != "" && program != "payments" {
				t.Errorf("%s has not what it needs, or more", name)
			}
		}
		if strings.HasPrefix(name, "gateway") || slices.Contains(services, program) {
			if err := s.Ready(t.Context(), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(addresses) != 10 {
		t.Errorf("they listen on %v", addresses)
	}
	if way := environmentOf(t, s, "payments-2")["ORDERS_GRPC_ADDR"]; way != "by-payments-2-to-orders:1,by-payments-2-to-orders-2:1" {
		t.Errorf("payments-2 reaches orders by %s", way)
	}
	if links["payments-2 orders-2"] == "" || links["payments-2 orders-2"] == links["payments-2 orders"] || links["orders orders-2"] != "" {
		t.Errorf("the direct ways: %v", links)
	}
	if both := strings.Split(s.Env("ORDERS_GRPC_ADDR"), ","); len(both) != 2 || !addresses[both[0]] || !addresses[both[1]] {
		t.Errorf("people reach orders at %v", both)
	}
	if urls := s.URLs(); len(urls) != 2 || urls[0] != s.URL() || urls[1] == urls[0] {
		t.Errorf("the edges are at %v", urls)
	}
	if _, err := Start(t.Context(), Options{Dir: stateFolder(t), Replicas: 2}); err == nil {
		t.Error("replicas shared the ports of the settings")
	}
}
