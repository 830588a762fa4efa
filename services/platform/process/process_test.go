package process_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"makegood.example/services/platform/process"
)

// as makes the test binary be a service that behaves in one way.
const as = "PROCESS_TEST_BEHAVES"

func TestMain(m *testing.M) {
	switch os.Getenv(as) {
	case "":
		os.Exit(m.Run())
	case "fails":
		process.Main("test", func(context.Context, process.Runtime) error { return errors.New("the setting X is missing") }, unwell)
	case "serves":
		process.Main("test", func(ctx context.Context, rt process.Runtime) error {
			if rt.Now().Location() != time.UTC || rt.Listener != nil || rt.Dial != nil {
				return errors.New("not the surroundings of a real process")
			}
			rt.Log.Info("serving")
			<-ctx.Done()
			return nil
		}, well)
	case "is interrupted while starting":
		process.Main("test", func(ctx context.Context, rt process.Runtime) error {
			rt.Log.Info("serving")
			<-ctx.Done()
			return ctx.Err()
		}, unwell)
	}
}

func well(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("the question has no end")
	}
	return nil
}

func unwell(context.Context) error { return errors.New("it does not answer") }

func run(t *testing.T, behaviour string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), as+"="+behaviour)
	out := &bytes.Buffer{}
	cmd.Stderr = out
	return cmd, out
}

func TestAServiceThatCannotStart(t *testing.T) {
	cmd, out := run(t, "fails")
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v", err)
	}
	var line struct{ Level, Service, Error string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Level != "ERROR" || line.Service != "test" || line.Error != "the setting X is missing" {
		t.Errorf("said %s (%v)", out, err)
	}
}

func TestASignalIsACleanEnd(t *testing.T) {
	for _, behaviour := range []string{"serves", "is interrupted while starting"} {
		for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
			cmd, _ := run(t, behaviour)
			cmd.Stderr = nil
			log, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			first := make([]byte, 4096)
			n, _ := log.Read(first)
			if !strings.Contains(string(first[:n]), "serving") {
				t.Fatalf("%s: %s", behaviour, first[:n])
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s, %s: %v", behaviour, signal, err)
			}
		}
	}
}

// Asked for its health, a program starts nothing: it would end with an error here,
// or never.
func TestHealthcheck(t *testing.T) {
	cmd, out := run(t, "serves")
	cmd.Args = append(cmd.Args, "healthcheck")
	if err := cmd.Run(); err != nil || out.Len() != 0 {
		t.Errorf("a process that is well: %v, said %s", err, out)
	}
	cmd, out = run(t, "fails")
	cmd.Args = append(cmd.Args, "healthcheck")
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || out.String() != "test is not healthy: it does not answer\n" {
		t.Errorf("a process that is not: %v, said %s", err, out)
	}
}

// River takes no longer one, and a service would not start.
func TestANameOfAProcessIsNeverTooLong(t *testing.T) {
	long := "[2001:db8:1234:5678:9abc:def0:1234:5678]:9104" + strings.Repeat("0", 60)
	name := process.Instance("notifications", long)
	if len(name) > 100 || name != process.Instance("notifications", long) || name == process.Instance("notifications", long+"1") {
		t.Errorf("%d characters: %s", len(name), name)
	}
	if short := process.Instance("orders", "127.0.0.1:9101"); !strings.HasSuffix(short, "/127.0.0.1:9101") {
		t.Errorf("%s does not say where it listens", short)
	}
}

func TestListen(t *testing.T) {
	given, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	if got, err := (process.Runtime{Listener: given}).Listen("not an address"); err != nil || got != given {
		t.Errorf("%v %v", got, err)
	}
	l, err := process.Runtime{}.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := (process.Runtime{}).Listen(l.Addr().String()); err == nil || !strings.Contains(err.Error(), "listen") {
		t.Errorf("a taken address: %v", err)
	}
}
