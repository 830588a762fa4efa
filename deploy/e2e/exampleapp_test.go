package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"makegood.example/services/platform/browsertest"
)

const hookSecret = "whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxlIGFwcC4uLi4uLi4u"

// example is the example app, a process of its own that the test kills.
type example struct {
	shop *shop
	addr string
	dir  string
	bin  string
	cmd  *exec.Cmd
	// member is a browser that keeps its cookies.
	member *http.Client
}

// openWithExample starts a product that tells the example app, which does not run yet.
func openWithExample(t *testing.T, settings ...string) *example {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, dir := l.Addr().String(), t.TempDir()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "exampleapp")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "makegood.example/deploy/cmd/exampleapp").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site := "http://" + addr
	s := open(t, append([]string{"APP_URL=" + site, "ALLOWED_ORIGINS=" + site, "ACCESS_HOOK_URL=" + site + "/hooks",
		"ACCESS_HOOK_SECRETS=" + hookSecret, "ACCESS_HOOK_ALLOW_PRIVATE=true"}, settings...)...)
	e := &example{shop: s, addr: addr, dir: dir, bin: bin, member: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	t.Cleanup(func() { e.kill(t) })
	return e
}

func (e *example) run(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	e.cmd = exec.Command(e.bin)
	e.cmd.Env = []string{"MAKEGOOD_URL=" + e.shop.URL(),
		"SERVICE_TOKEN_FILE=" + filepath.Join(e.shop.Dir(), "service.token"), "ACCESS_HOOK_SECRET=" + hookSecret,
		"EXAMPLEAPP_ADDR=" + e.addr, "EXAMPLEAPP_JOURNAL=" + filepath.Join(e.dir, "journal")}
	e.cmd.Stderr = log
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, time.Minute, "the example app to listen", func() bool {
		conn, err := net.Dial("tcp", e.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// kill ends it with SIGKILL, if it runs.
func (e *example) kill(t *testing.T) {
	t.Helper()
	if e.cmd == nil {
		return
	}
	if err := e.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = e.cmd.Wait()
	e.cmd = nil
}

// members is what the members' page says to the member.
func (e *example) members(t *testing.T) (code int, body string) {
	t.Helper()
	return e.answer(t)(e.member.Get("http://" + e.addr + "/members"))
}

func (e *example) answer(t *testing.T) func(*http.Response, error) (int, string) {
	t.Helper()
	return func(r *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
}

// letIn follows the link in the buyer's confirmation.
func (e *example) letIn(t *testing.T, b *buyer) {
	t.Helper()
	link := regexp.MustCompile(`http://\S+/activate\?token=\S+`).FindString(b.awaitMail(t, "confirmation", "recovery").Text)
	at, err := url.Parse(link)
	if err != nil || at.Host != e.addr {
		t.Fatalf("the link is %q", link)
	}
	if code, body := e.answer(t)(e.member.Get(link)); code != http.StatusOK || !strings.Contains(body, "Set up my account") {
		t.Fatalf("the link: %d\n%s", code, body)
	}
	if code, body := e.answer(t)(e.member.PostForm("http://"+e.addr+"/activate", at.Query())); code != http.StatusOK || !strings.Contains(body, "in, until") {
		t.Fatalf("after setting up: %d\n%s", code, body)
	}
}

// judgeDocument: every command of docs/integrate.md does what the document says, one
// after the other in one shell.
func (e *example) judgeDocument(t *testing.T) {
	t.Helper()
	setup, list, _ := examples(t, "integrate.md")
	const next = "\n---- the next command ----\n"
	script := "set -euo pipefail\n" + setup
	for _, c := range list {
		script += c.command + "printf '%s' '" + next + "'\n"
	}
	dir := t.TempDir()
	if err := os.Symlink(e.shop.Dir(), filepath.Join(dir, ".makegood")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "bash", "-c", script)
	run.Dir, run.Env = dir, append(os.Environ(), "SHOP="+e.shop.URL(), "ADMIN="+e.shop.AdminURL(), "INBOX="+e.shop.InboxURL())
	said, err := run.CombinedOutput()
	answers := strings.Split(string(said), next)
	if err != nil || len(list) < 6 || len(answers) != len(list)+1 {
		t.Fatalf("%d commands gave %d answers: %v\n%s", len(list), len(answers)-1, err, said)
	}
	bare := strings.NewReplacer(" ", "", "\n", "").Replace // nothing is promised of white space
	for i, c := range list {
		if len(c.answers) == 0 {
			t.Errorf("the document does not say what %s answers", c.command)
		}
		for _, want := range c.answers {
			if !strings.Contains(bare(answers[i]), bare(want)) {
				t.Errorf("%s does not answer %s:\n%s", c.command, want, answers[i])
			}
		}
	}
}

// TestAnAppThatIsKilledGivesAccessAllTheSame: the app sells in a browser, is down when
// access is given, killed again later, and asks, hears or remembers each time.
func TestAnAppThatIsKilledGivesAccessAllTheSame(t *testing.T) {
	t.Parallel()
	e := openWithExample(t)
	e.run(t)
	b, p := e.shop.buyer("of the example app"), browsertest.Start(t).Open(browsertest.View{Phone: true})
	p.Go("http://" + e.addr + "/")
	p.Await("window.checkout && checkout.ready.then(() => true)")
	p.Type("[name=email]", b.email)
	p.Click("#pay")
	p.Await("location.pathname.startsWith('/_sim/checkout/')")
	e.kill(t) // while its buyer is on Stripe's page
	p.Click("button[value=pm_card_visa]")
	p.Await("location.pathname === '/welcome'")
	p.Eval("new URLSearchParams(location.search).get('ref')", &b.reference)
	b.awaitAccess(t)
	undelivered := func() int {
		return e.shop.count(t, "SELECT count(*) FROM provisioning.hooks WHERE state <> 'DELIVERED'")
	}
	awaitFor(t, time.Minute, "a hook that is refused", func() bool {
		return e.shop.count(t, "SELECT count(*) FROM provisioning.hooks WHERE last_error = 'it refused the connection'") == 1
	})

	e.run(t)
	e.letIn(t, b) // heard or not: then it asks
	awaitFor(t, 2*time.Minute, "the hook", func() bool { return undelivered() == 0 })
	e.judgeDocument(t)

	// From now on it knows by itself: Makegood is away, and it was killed once more.
	e.kill(t)
	e.shop.down(t, "gateway", "provisioning")
	e.run(t)
	if code, body := e.members(t); code != http.StatusOK || !strings.Contains(body, "You&#39;re in, until") {
		t.Errorf("with Makegood away: %d\n%s", code, body)
	}
	e.shop.up(t, "gateway", "provisioning")

	e.shop.refundAtStripe(t, b.atStripe(t).charges[0].ID, "")
	awaitFor(t, time.Minute, "the refund to end the access", func() bool { code, _ := e.members(t); return code == http.StatusPaymentRequired })
	for _, forged := range []string{"", `{"type":"access.changed","data":{"account_id":"x","active":true}}`} {
		if code, _ := e.answer(t)(http.Post("http://"+e.addr+"/hooks", "application/json", strings.NewReader(forged))); code != http.StatusBadRequest {
			t.Errorf("a hook of somebody else's: %d", code)
		}
	}
	if log, err := os.ReadFile(filepath.Join(e.dir, "log")); err != nil || strings.Contains(string(log), "ERROR") {
		t.Errorf("%v\n%s", err, log)
	}
}
