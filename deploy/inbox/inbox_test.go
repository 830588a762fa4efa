package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wneessen/go-mail"

	"makegood.example/deploy/inbox"
)

// open runs an inbox on free ports until the returned function is called.
func open(t *testing.T, dir string) (*inbox.Inbox, func()) {
	t.Helper()
	in, err := inbox.Open(inbox.Config{SMTPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", Dir: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return in, stop
}

func newMail(t *testing.T, to string) *mail.Msg {
	t.Helper()
	msg := mail.NewMsg()
	if err := errors.Join(msg.From("Makegood <hello@example.com>"), msg.To(to)); err != nil {
		t.Fatal(err)
	}
	msg.Subject("Zugang für Jörg – bestätigt")
	msg.SetMessageIDWithValue("order-1@example.com")
	msg.SetGenHeader("X-Makegood-Kind", "confirmation")
	msg.SetBodyString(mail.TypeTextPlain, "Grüße: your plan is active.\nUntil next year.")
	msg.AddAlternativeString(mail.TypeTextHTML, "<html><head></head><body><p>Grüße</p><script>alert(1)</script></body></html>")
	return msg
}

func send(ctx context.Context, t *testing.T, in *inbox.Inbox, to string) error {
	t.Helper()
	host, portText, err := net.SplitHostPort(in.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(portText)
	client, err := mail.NewClient(host, mail.WithPort(port), mail.WithTLSPolicy(mail.TLSOpportunistic), mail.WithTimeout(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return client.DialAndSendWithContext(ctx, newMail(t, to))
}

func list(t *testing.T, in *inbox.Inbox, query string) []inbox.Message {
	t.Helper()
	var messages []inbox.Message
	body, _ := get(t, in, "/api/messages"+query)
	if err := json.Unmarshal([]byte(body), &messages); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return messages
}

func get(t *testing.T, in *inbox.Inbox, path string) (string, http.Header) {
	t.Helper()
	response, err := http.Get("http://" + in.HTTPAddr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s", path, response.Status, body)
	}
	return string(body), response.Header
}

func setFaults(t *testing.T, in *inbox.Inbox, body string) int {
	t.Helper()
	response, err := http.Post("http://"+in.HTTPAddr()+"/api/faults", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func TestDeliveryIsDecoded(t *testing.T) {
	in, _ := open(t, t.TempDir())
	if err := send(t.Context(), t, in, "Jane@example.com"); err != nil {
		t.Fatal(err)
	}
	messages := list(t, in, "")
	if len(messages) != 1 {
		t.Fatalf("%d mails, want 1", len(messages))
	}
	m := messages[0]
	if m.Subject != "Zugang für Jörg – bestätigt" || m.MessageID != "order-1@example.com" || m.From != "hello@example.com" {
		t.Errorf("envelope %+v", m.Envelope)
	}
	if len(m.To) != 1 || m.To[0] != "Jane@example.com" {
		t.Errorf("to %q", m.To)
	}
	if m.Headers["X-Makegood-Kind"] != "confirmation" || m.Headers["Subject"] != m.Subject {
		t.Errorf("headers %q", m.Headers)
	}
	if m.Text != "Grüße: your plan is active.\nUntil next year." || !strings.Contains(m.HTML, "<p>Grüße</p>") || m.ParseError != "" {
		t.Errorf("text %q html %q error %q", m.Text, m.HTML, m.ParseError)
	}
	raw, _ := get(t, in, "/api/messages/"+m.ID+"/raw")
	if !strings.Contains(raw, "Message-ID: <order-1@example.com>") {
		t.Errorf("raw: %s", raw)
	}
}

func TestFilters(t *testing.T) {
	in, _ := open(t, t.TempDir())
	for _, to := range []string{"jane@example.com", "joe@example.com"} {
		if err := send(t.Context(), t, in, to); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{
		"?to=JANE@example.com":                                    1,
		"?to=nobody@example.com":                                  0,
		"?message_id=order-1@example.com":                         2,
		"?message_id=" + url.QueryEscape("<order-1@example.com>"): 2,
		"?message_id=other":                                       0,
	} {
		if got := len(list(t, in, query)); got != want {
			t.Errorf("%s: %d mails, want %d", query, got, want)
		}
	}
}

func TestRepeatsAreKeptAndSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	in, stop := open(t, dir)
	for range 2 {
		if err := send(t.Context(), t, in, "jane@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	before := list(t, in, "")
	stop()

	in, _ = open(t, dir)
	after := list(t, in, "")
	if len(after) != 2 || after[0].ID != before[0].ID || after[1].Text != before[1].Text {
		t.Fatalf("after the restart: %+v, before: %+v", after, before)
	}
	request, _ := http.NewRequest(http.MethodDelete, "http://"+in.HTTPAddr()+"/api/messages", nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if left := list(t, in, ""); len(left) != 0 {
		t.Errorf("%d mails after delete", len(left))
	}
}

// Mails that arrive together are each in the list, and each can be opened.
func TestParallelDeliveriesAreAllFound(t *testing.T) {
	dir := t.TempDir()
	in, _ := open(t, dir)
	const rounds, parallel = 4, 50
	for range rounds {
		var deliveries sync.WaitGroup
		for range parallel {
			deliveries.Go(func() {
				if err := send(t.Context(), t, in, "jane@example.com"); err != nil {
					t.Error(err)
				}
			})
		}
		deliveries.Wait()
	}
	messages := list(t, in, "")
	if len(messages) != rounds*parallel {
		t.Errorf("%d mails are listed, want %d", len(messages), rounds*parallel)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) != rounds*parallel {
		t.Errorf("%d mails are kept (%v)", len(files), err)
	}
	for _, file := range files {
		get(t, in, "/api/messages/"+strings.TrimSuffix(filepath.Base(file), ".eml"))
	}
}

func TestRefusals(t *testing.T) {
	in, _ := open(t, t.TempDir())
	for refuse, code := range map[string]string{"permanent": "550", "temporary": "451"} {
		setFaults(t, in, `{"refuse":"`+refuse+`","times":1}`)
		err := send(t.Context(), t, in, "jane@example.com")
		if err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v, want a %s", refuse, err, code)
		}
		if err := send(t.Context(), t, in, "jane@example.com"); err != nil {
			t.Errorf("after one %s refusal: %v", refuse, err)
		}
	}
	if setFaults(t, in, `{"refuse":"rudely"}`) != http.StatusBadRequest || setFaults(t, in, `{"refuze":""}`) != http.StatusBadRequest {
		t.Error("a fault that does not exist was accepted")
	}
}

func TestHeldAcknowledgement(t *testing.T) {
	in, _ := open(t, t.TempDir())
	setFaults(t, in, `{"hang_after_data":true}`)
	sent := make(chan error, 1)
	go func() { sent <- send(context.Background(), t, in, "jane@example.com") }()
	for { // the mail is there while its sender still waits
		body, _ := get(t, in, "/api/faults")
		if strings.Contains(body, `"held": 1`) {
			break
		}
	}
	if got := len(list(t, in, "")); got != 1 {
		t.Errorf("%d mails kept while the 250 is held, want 1", got)
	}
	select {
	case err := <-sent:
		t.Fatalf("acknowledged while held: %v", err)
	default:
	}
	setFaults(t, in, `{}`)
	if err := <-sent; err != nil {
		t.Errorf("after release: %v", err)
	}
}

func TestPageRunsNoScriptsOfMails(t *testing.T) {
	in, _ := open(t, t.TempDir())
	if err := send(t.Context(), t, in, "jane@example.com"); err != nil {
		t.Fatal(err)
	}
	id := list(t, in, "")[0].ID
	html, header := get(t, in, "/messages/"+id+"/html")
	policy := header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "sandbox") || strings.Contains(policy, "allow-scripts") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy of a mail: %q", policy)
	}
	if !strings.Contains(html, `<head><base target="_blank">`) {
		t.Errorf("links would open inside the sandbox: %s", html)
	}
	for view, want := range map[string]string{"": "<iframe", "text": "your plan is active", "source": "Message-ID: &lt;order-1"} {
		body, header := get(t, in, "/?id="+id+"&view="+view)
		if !strings.Contains(body, want) || !strings.Contains(body, "Zugang für Jörg") {
			t.Errorf("view %q lacks %q: %s", view, want, body)
		}
		if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("view %q has no policy", view)
		}
	}
	if body, _ := get(t, in, "/"); !strings.Contains(body, "to jane@example.com") {
		t.Errorf("list lacks the mail: %s", body)
	}
}
