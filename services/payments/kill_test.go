package payments_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	pb "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments"
	"makegood.example/services/platform/process"
)

// beService makes the test binary be the service, as its main is, so that a test
// can kill it.
const beService = "PAYMENTS_TEST_BE_THE_SERVICE"

func serviceMain() {
	process.Main("payments", func(ctx context.Context, rt process.Runtime) error {
		cfg, err := payments.LoadConfig(os.LookupEnv)
		if err != nil {
			return err
		}
		if rt.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		fmt.Println(rt.Listener.Addr())
		return payments.Run(ctx, cfg, rt)
	}, nil)
}

// victim is the service in a process of its own, with the scene's surroundings.
func (s *scene) victim() (edge pb.PaymentsServiceClient, kill func()) {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), beService+"=1")
	for k, v := range s.env() {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill() // SIGKILL
		_ = cmd.Wait()
	}
	s.t.Cleanup(kill)
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatalf("the service did not start: %v", err)
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimSpace(addr))
	}
	return s.client(dial, "gateway"), kill
}

// A kill at any point of handling loses nothing: the next instance finishes the
// event by itself, without any delivery.
func TestAKillAtAnyPointOfHandling(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(s *scene, payload []byte) (reached func() bool, letGo func()){
		"the row is written, and nothing else": func(s *scene, payload []byte) (func() bool, func()) {
			release := s.locked(`LOCK TABLE payments.payments IN ACCESS EXCLUSIVE MODE`)
			return func() bool { return s.waitingForLocks() > 0 && s.ledgerHas(payload) }, release
		},
		"in the middle of Orders' answer": func(s *scene, _ []byte) (func() bool, func()) {
			held := make(chan struct{})
			s.orders.set(func() { s.orders.during = func() { <-held } })
			return func() bool { return len(s.orders.calls("")) > 0 }, func() {
				s.orders.set(func() { s.orders.during = nil })
				close(held)
			}
		},
		"Orders has it, and the ledger is not finished": func(s *scene, payload []byte) (func() bool, func()) {
			release := func() {}
			s.orders.set(func() {
				s.orders.during = func() {
					release = s.locked(`SELECT FROM payments.webhook_events WHERE stripe_event_id = $1 FOR UPDATE`, s.ledgerID(payload))
				}
			})
			return func() bool { return len(s.orders.calls("")) > 0 && s.waitingForLocks() > 0 }, func() {
				s.orders.set(func() { s.orders.during = nil })
				release()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			r, success := s.unrecorded()
			s.stop()
			edge, kill := s.victim()
			reached, letGo := hold(s, success)
			answered := make(chan error, 1)
			go func() {
				_, err := edge.ReceiveWebhook(s.context(), &pb.ReceiveWebhookRequest{Payload: success, Signature: sign(webhookSecret, time.Now(), success)})
				answered <- err
			}()
			await(t, "the point to kill at", reached)
			kill()
			// Its statements that wait must not go on without it.
			s.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
			letGo()
			if err := <-answered; err == nil {
				t.Error("acknowledged by what was killed")
			}
			if got := s.ledger(success, "concat_ws(' ', status, attempt_count)"); got != "RECEIVED 1" {
				t.Errorf("the ledger: %s", got)
			}
			s.instance()
			await(t, "the event", func() bool { return s.ledger(success, "status") == "PROCESSED" })
			if got := s.ledger(success, "attempt_count"); got != "1" {
				t.Errorf("%s attempts", got)
			}
			if told := s.lastTold(r.GetPurchase().GetOrderId()); told.GetStatus() != pb.Payment_SUCCEEDED || told.GetAmountMinor() != price {
				t.Errorf("Orders was told %v", told)
			}
			s.wantCharged(1)
		})
	}
}

// locked holds what a statement locks until it is released.
func (s *scene) locked(statement string, args ...any) (release func()) {
	tx, err := s.owner.Begin(context.Background())
	if err != nil {
		s.t.Errorf("lock: %v", err)
		return func() {}
	}
	if _, err := tx.Exec(context.Background(), statement, args...); err != nil {
		s.t.Errorf("lock: %v", err)
	}
	return func() { _ = tx.Rollback(context.Background()) }
}

// waitingForLocks is how many statements wait for somebody's lock.
func (s *scene) waitingForLocks() int {
	n := 0
	if err := s.owner.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n); err != nil {
		s.t.Errorf("waiting for locks: %v", err)
	}
	return n
}

func (s *scene) ledgerHas(payload []byte) bool {
	return s.text(`SELECT count(*)::text FROM payments.webhook_events WHERE stripe_event_id = $1`, s.ledgerID(payload)) == "1"
}
