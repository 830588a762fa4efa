package reconciliation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/process"
	"makegood.example/services/reconciliation"
)

func becomes(state ordersv1.Order_State) func(context.Context) (ordersv1.Order_State, error) {
	return func(context.Context) (ordersv1.Order_State, error) { return state, nil }
}

func fails(context.Context) (ordersv1.Order_State, error) { return 0, errors.New("no") }

// held waits for release; begun is closed when the first call arrives.
func held(begun, release chan struct{}) func(context.Context) (ordersv1.Order_State, error) {
	var once sync.Once
	return func(ctx context.Context) (ordersv1.Order_State, error) {
		once.Do(func() { close(begun) })
		select {
		case <-release:
			return ordersv1.Order_RECOVERED, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func hasLine(r *pb.Run, parts ...string) bool {
	return slices.ContainsFunc(r.GetDetails(), func(line string) bool {
		for _, p := range parts {
			if !strings.Contains(line, p) {
				return false
			}
		}
		return true
	})
}

func TestARunAdvancesEveryStuckOrderWhateverOneOfThemDoes(t *testing.T) {
	s := newScene(t)
	old := s.clock.Now().Add(-6 * time.Minute)
	for n := range 35 { // four pages
		s.orders.add(orderID(n), ordersv1.Order_CHARGED, old, becomes(ordersv1.Order_RECOVERED))
	}
	s.orders.add(orderID(3), ordersv1.Order_CHARGED, old, fails)
	s.orders.add(orderID(13), ordersv1.Order_PENDING, old, becomes(ordersv1.Order_PENDING))
	s.orders.add(orderID(23), ordersv1.Order_PENDING, old, becomes(ordersv1.Order_EXPIRED))
	s.orders.add(orderID(100), ordersv1.Order_PENDING, s.clock.Now().Add(-4*time.Minute), nil)

	run := s.startRun(s.instance(nil))
	if run.GetStatus() != pb.Run_SUCCEEDED || run.GetFinishedAt() == nil {
		t.Errorf("the run is %v", run)
	}
	if run.GetStuckFound() != 35 || run.GetStuckRecovered() != 32 || run.GetErrors() != 1 {
		t.Errorf("found %d, recovered %d, errors %d", run.GetStuckFound(), run.GetStuckRecovered(), run.GetErrors())
	}
	if !hasLine(run, orderID(3), "cannot be advanced") || !hasLine(run, orderID(13), "still") ||
		!hasLine(run, orderID(23), "EXPIRED") || !hasLine(run, orderID(34), "RECOVERED") {
		t.Errorf("details: %s", strings.Join(run.GetDetails(), "\n"))
	}
	if s.orders.advancedTimes(orderID(100)) != 0 {
		t.Error("an order that made progress four minutes ago was advanced")
	}
	s.orders.set(func() {
		if s.orders.mostAt > 8 {
			t.Errorf("%d orders were advanced at once", s.orders.mostAt)
		}
	})
}

func TestAPageThatCannotBeListedFailsTheRunAndKeepsWhatWasDone(t *testing.T) {
	s := newScene(t)
	for n := range 15 {
		s.orders.add(orderID(n), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), nil)
	}
	s.orders.set(func() { s.orders.failPage = 2 })
	dial := s.instance(nil)
	run := s.startRun(dial)
	if run.GetStatus() != pb.Run_FAILED || run.GetStuckRecovered() != 10 || run.GetErrors() != 1 || !hasLine(run, "cannot be listed") {
		t.Errorf("the run is %v", run)
	}
	if again := s.startRun(dial); again.GetStatus() != pb.Run_SUCCEEDED || again.GetStuckRecovered() != 5 {
		t.Errorf("the next run is %v", again)
	}
}

// Others wait for the lease; the process itself knows better.
func TestAKilledRunIsTakenOverWhenItsProcessIsBack(t *testing.T) {
	s := newScene(t)
	old := s.clock.Now().Add(-time.Hour)
	begun, release := make(chan struct{}), make(chan struct{})
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, old, nil)
	s.orders.add(orderID(2), ordersv1.Order_CHARGED, old, held(begun, release))

	service := exec.Command(os.Args[0])
	for k, v := range s.env(map[string]string{asService: "yes", "RECONCILE_EVERY": "1h", "RECONCILIATION_GRPC_LISTEN": "127.0.0.1:0"}) {
		service.Env = append(service.Env, k+"="+v)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill := func() {
		if !killed {
			killed = true
			_ = service.Process.Kill()
			_ = service.Wait()
		}
	}
	t.Cleanup(kill)
	select {
	case <-begun:
	case <-time.After(30 * time.Second):
		t.Fatal("the run asked Orders for nothing")
	}
	await(t, "the run saves what it has done", func() bool {
		return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'RUNNING' AND stuck_recovered = 1`) == 1
	})
	kill()
	await(t, "Orders notices", func() (quiet bool) {
		s.orders.set(func() { quiet = s.orders.inFlight == 0 })
		return quiet
	})
	close(release)

	dial := s.instance(nil)
	_, err := s.client(dial, "gateway").StartRun(s.support(), &pb.StartRunRequest{})
	wantError(t, "another's run while the killed one's lease lasts", err, codes.Aborted, "RUN_IN_PROGRESS")
	run := s.startRun(s.instance(map[string]string{"RECONCILIATION_GRPC_LISTEN": "127.0.0.1:0"})) // its address
	if run.GetStatus() != pb.Run_SUCCEEDED || run.GetStuckRecovered() != 1 {
		t.Errorf("the next run is %v", run)
	}
	list, err := s.client(dial, "gateway").ListRuns(s.support(), &pb.ListRunsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	last := list.GetRuns()[len(list.GetRuns())-1]
	if last.GetStatus() != pb.Run_FAILED || !last.GetCutShort() || run.GetCutShort() || !hasLine(last, "abandoned") || !hasLine(last, orderID(1), "COMPLETE") {
		t.Errorf("the killed run is %v", last)
	}
}

// Its connection broke when the run was recorded: nobody works on it, and the process
// is not killed.
func TestARunThatItsProcessNeverHeardOfStopsNoOther(t *testing.T) {
	s := newScene(t)
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), nil)
	dial := s.instance(map[string]string{"RECONCILIATION_GRPC_LISTEN": "127.0.0.1:7"})
	if _, err := s.owner.Exec(t.Context(), `INSERT INTO reconciliation.runs (started_at, status, lease_until, instance) VALUES ($1, 'RUNNING', $2, $3)`,
		s.clock.Now(), s.clock.Now().Add(time.Hour), process.Instance("reconciliation", "127.0.0.1:7")); err != nil {
		t.Fatal(err)
	}
	if run := s.startRun(dial); run.GetStatus() != pb.Run_SUCCEEDED || run.GetStuckRecovered() != 1 {
		t.Errorf("the next run is %v", run)
	}
	if n := s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'FAILED' AND details::text LIKE '%abandoned%'`); n != 1 {
		t.Errorf("%d runs are recorded as abandoned", n)
	}
}

func TestTheEndOfARunIsRecordedAgainUntilItIs(t *testing.T) {
	s := newScene(t)
	// A sequence keeps its count when a transaction is lost.
	if _, err := s.owner.Exec(t.Context(), `CREATE SEQUENCE public.ends; GRANT USAGE ON public.ends TO PUBLIC;
		CREATE FUNCTION public.fail_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('public.ends') < 3 THEN RAISE EXCEPTION 'the disk is away' USING ERRCODE = '58030'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER fail_first BEFORE UPDATE ON reconciliation.runs FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION public.fail_first()`); err != nil {
		t.Fatal(err)
	}
	if run := s.startRun(s.instance(nil)); run.GetStatus() != pb.Run_SUCCEEDED {
		t.Errorf("the run is %v", run)
	}
	if n := s.count(`SELECT last_value FROM public.ends`); n != 3 {
		t.Errorf("recorded in %d tries", n)
	}
}

func TestTwoInstancesShareTheSchedule(t *testing.T) {
	s := newScene(t)
	begun, release := make(chan struct{}), make(chan struct{})
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), held(begun, release))
	hourly := map[string]string{"RECONCILE_EVERY": "1h"}
	first, second := s.instance(hourly), s.instance(hourly)
	<-begun
	_, firstErr := s.client(first, "gateway").StartRun(s.support(), &pb.StartRunRequest{})
	_, secondErr := s.client(second, "gateway").StartRun(s.support(), &pb.StartRunRequest{})
	wantError(t, "a second run on the first instance", firstErr, codes.Aborted, "RUN_IN_PROGRESS")
	wantError(t, "a second run on the second instance", secondErr, codes.Aborted, "RUN_IN_PROGRESS")
	close(release)
	finished := func(n int) func() bool {
		return func() bool {
			return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'SUCCEEDED'`) == n
		}
	}
	await(t, "the scheduled run finishes", finished(1))
	s.clock.Advance(time.Hour)
	await(t, "the next one runs an hour later", finished(2))
	if n := s.count(`SELECT count(*) FROM reconciliation.runs`); n != 2 {
		t.Errorf("%d runs for two hours", n)
	}
	if n := s.orders.advancedTimes(orderID(1)); n != 1 {
		t.Errorf("the order was advanced %d times", n)
	}
}

func TestAShorterPeriodCountsAtOnce(t *testing.T) {
	s := newScene(t)
	if _, err := s.owner.Exec(t.Context(), `UPDATE reconciliation.sweeps SET next_look_at = $1`, s.clock.Now().Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.instance(map[string]string{"RECONCILE_EVERY": "1h"})
	await(t, "a run begins", func() bool { return s.count(`SELECT count(*) FROM reconciliation.runs`) == 1 })
}

func TestARunThatIsStoppedSaysSo(t *testing.T) {
	s := newScene(t)
	begun, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), held(begun, release))
	t.Run("the service is stopped", func(t *testing.T) {
		inner := *s
		inner.t = t
		dial := inner.instance(nil)
		go func() { _, _ = inner.client(dial, "gateway").StartRun(inner.support(), &pb.StartRunRequest{}) }()
		<-begun
	})
	await(t, "the run is recorded as stopped", func() bool {
		return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'FAILED' AND errors = 0 AND details::text LIKE '%stopped%'`) == 1
	})
}

// Who begins a run by hand is in the audit, and who could not because another worked,
// too. What changes nothing, and what the clock begins, is not.
func TestWhoBeginsARunIsInTheAudit(t *testing.T) {
	s := newScene(t)
	begun, release := make(chan struct{}), make(chan struct{})
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), held(begun, release))
	dial := s.instance(nil)
	recon := s.client(dial, "gateway")
	ended := make(chan *pb.Run, 1)
	go func() {
		r, err := recon.StartRun(s.support(), &pb.StartRunRequest{})
		if err != nil {
			t.Error(err)
		}
		ended <- r
	}()
	<-begun
	if n := s.count(`SELECT count(*) FROM reconciliation.audit WHERE what = 'ASKED' AND action = 'StartRun' AND actor = 'sam' AND role = 'support'`); n != 1 {
		t.Errorf("while it works, %d entries say who began it", n)
	}
	stream, err := recon.WatchRun(s.support(), &pb.WatchRunRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	wantError(t, "a second run beside it", err, codes.Aborted, "RUN_IN_PROGRESS")
	close(release)
	r := <-ended
	if _, err := recon.StartRun(s.support(), &pb.StartRunRequest{DryRun: true}); err != nil {
		t.Fatal(err)
	}
	s.instance(map[string]string{"RECONCILE_EVERY": "1h"})
	await(t, "a run by the clock", func() bool {
		return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status <> 'RUNNING'`) == 3
	})
	rows, err := s.owner.Query(t.Context(), `SELECT concat_ws(' ', what, actor, action, array_to_string(subjects, ' ')) FROM reconciliation.audit ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	want := []string{"ASKED sam StartRun runs", fmt.Sprintf("DONE sam StartRun runs run/%d", r.GetId()), "ASKED sam WatchRun runs", "FAILED sam WatchRun runs"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the audit says %q, want %q, %v", got, want, err)
	}
}

func TestARunGoesOnWhenItsCallerLeaves(t *testing.T) {
	s := newScene(t)
	begun, release := make(chan struct{}), make(chan struct{})
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, s.clock.Now().Add(-time.Hour), held(begun, release))
	dial := s.instance(nil)
	ctx, cancel := context.WithCancel(s.support())
	go func() { <-begun; cancel() }()
	if _, err := s.client(dial, "gateway").StartRun(ctx, &pb.StartRunRequest{}); err == nil {
		t.Fatal("a canceled call was answered")
	}
	close(release)
	await(t, "the run ends well", func() bool {
		return s.count(`SELECT count(*) FROM reconciliation.runs WHERE status = 'SUCCEEDED' AND stuck_recovered = 1`) == 1
	})
}

func TestOrdersAwayIsARecordedFailure(t *testing.T) {
	s := newScene(t)
	s.orders.addr = "127.0.0.1:1"
	if run := s.startRun(s.instance(nil)); run.GetStatus() != pb.Run_FAILED || !hasLine(run, "cannot be listed") {
		t.Errorf("the run is %v", run)
	}
}

func TestRunsAreListedNewestFirst(t *testing.T) {
	s := newScene(t)
	dial := s.instance(nil)
	for range 5 {
		s.startRun(dial)
	}
	var ids []int64
	req := &pb.ListRunsRequest{PageSize: 2}
	for pages := 1; ; pages++ {
		page, err := s.client(dial, "gateway").ListRuns(s.support(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.GetRuns() {
			ids = append(ids, r.GetId())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if !slices.Equal(ids, []int64{5, 4, 3, 2, 1}) {
		t.Errorf("runs %v", ids)
	}
	_, err := s.client(dial, "gateway").ListRuns(s.support(), &pb.ListRunsRequest{PageToken: "nonsense"})
	wantError(t, "a token of another list", err, codes.InvalidArgument, "INVALID_ARGUMENT")
}

func TestLoadConfig(t *testing.T) {
	load := func(env map[string]string) (reconciliation.Config, error) {
		return reconciliation.LoadConfig(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
	}
	cfg, err := load(map[string]string{"DATABASE_URL": "postgres://x"})
	if err != nil || cfg.Settings.Every != 2*time.Minute || !cfg.Scheduled || cfg.Settings.StuckAfter != 5*time.Minute || cfg.Listen != "127.0.0.1:9105" {
		t.Errorf("defaults: %+v, %v", cfg, err)
	}
	if cfg, err := load(map[string]string{"DATABASE_URL": "postgres://x", "RECONCILE_EVERY": "off"}); err != nil || cfg.Scheduled {
		t.Errorf("off: %+v, %v", cfg, err)
	}
	_, err = load(map[string]string{"STUCK_AFTER": "soon", "RECONCILE_EVERY": "0s"})
	for _, key := range []string{"RECONCILIATION_DATABASE_URL", "STUCK_AFTER", "RECONCILE_EVERY"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not mentioned in: %v", key, err)
		}
	}
}
