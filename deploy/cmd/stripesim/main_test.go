package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary play the command itself, so that a test can
// kill a real process.
func TestMain(m *testing.M) {
	if os.Getenv("STRIPESIM_TEST_RUN") == "" {
		os.Exit(m.Run())
	}
	os.Args = os.Args[:1]
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// launch starts the command and returns it with the address it listens on.
func launch(t *testing.T, data string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STRIPESIM_TEST_RUN=1", "STRIPESIM_ADDR=127.0.0.1:0", "STRIPESIM_DATA="+data)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stderr).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var started struct{ Addr string }
	if err := json.Unmarshal(line, &started); err != nil || started.Addr == "" {
		t.Fatalf("%s: %v", line, err)
	}
	return cmd, "http://" + started.Addr
}

func call(t *testing.T, method, address string, form url.Values) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer sk_test_makegood")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestKilledProcessForgetsNothingItAnswered(t *testing.T) {
	data := filepath.Join(t.TempDir(), "stripe.journal")
	cmd, base := launch(t, data)
	if status, _ := call(t, "GET", base+"/_sim/healthz", nil); status != http.StatusOK {
		t.Fatal(status)
	}
	var made []string
	for i := range 20 {
		status, body := call(t, "POST", base+"/v1/customers", url.Values{"email": {fmt.Sprintf("jane%d@example.com", i)}})
		var cus struct{ ID string }
		if err := json.Unmarshal([]byte(body), &cus); err != nil || status != http.StatusOK {
			t.Fatal(status, body, err)
		}
		made = append(made, cus.ID)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // reports the kill

	_, base = launch(t, data)
	for i, id := range made {
		if status, body := call(t, "GET", base+"/v1/customers/"+id, nil); status != http.StatusOK || !strings.Contains(body, fmt.Sprintf("jane%d@", i)) {
			t.Fatal(status, body)
		}
	}
}
