package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is one tab.
type Page struct {
	// Ctx is for chromedp's own actions, where the methods are not enough.
	Ctx context.Context

	t    testing.TB
	view View

	mu       sync.Mutex
	asked    map[network.RequestID]string
	problems []string
}

func newPage(parent context.Context, t testing.TB, view View, opts ...chromedp.ContextOption) *Page {
	t.Helper()
	p := &Page{t: t, view: view, asked: map[network.RequestID]string{}}
	ctx, cancel := chromedp.NewContext(parent, append(opts, chromedp.WithListener(p.listen))...)
	t.Cleanup(cancel)
	p.Ctx = ctx
	// The first run decides how long the page lives, so it has no deadline.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a page: %v", err)
	}
	p.Do(view.apply()...)
	return p
}

func (v View) apply() []chromedp.Action[chromedp.Void] {
	width, height := int64(1200), int64(800)
	var opts []chromedp.EmulateViewportOption
	if v.Phone {
		width, height = 390, 844
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	if v.Width > 0 {
		width = v.Width
	}
	if v.Height > 0 {
		height = v.Height
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: "light"}, {Name: "prefers-reduced-motion", Value: "no-preference"},
	}}
	if v.Dark {
		media.Features[0].Value = "dark"
	}
	if v.ReducedMotion {
		media.Features[1].Value = "reduce"
	}
	if v.Print {
		media.Media = "print"
	}
	return []chromedp.Action[chromedp.Void]{
		chromedp.EmulateViewport(width, height, opts...),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
				return err
			}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
				return err
			}
			_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScripts})
			return err
		}),
	}
}

// Tab is another tab that shares this one's cookies and storage.
func (p *Page) Tab() *Page {
	p.t.Helper()
	return newPage(p.Ctx, p.t, p.view)
}

// Do runs chromedp's actions, each batch within the limit.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.fail("%v", err)
	}
}

// Go navigates and waits until the page has loaded.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(url))
}

// deep finds elements in open shadow roots too.
const deep = `const deep = (selector, root = document) => {
	const found = root.querySelector(selector);
	if (found) return found;
	for (const e of root.querySelectorAll("*")) {
		const inside = e.shadowRoot && deep(selector, e.shadowRoot);
		if (inside) return inside;
	}
	return null;
};`

// eval answers the value of a JavaScript expression, promises awaited, in which
// deep(selector) finds an element.
func (p *Page) eval(ctx context.Context, expression string) (json.RawMessage, error) {
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](
		fmt.Sprintf("(async () => { %s return (%s); })()", deep, expression),
		chromedp.EvalAwaitPromise))
	return raw, err
}

// Eval reads the value of a JavaScript expression into result, a pointer, or
// drops it when that is nil. deep(selector) in it also looks into shadow roots.
func (p *Page) Eval(expression string, result any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, limit)
	defer cancel()
	raw, err := p.eval(ctx, expression)
	if err == nil && result != nil {
		err = json.Unmarshal(raw, result)
	}
	if err != nil {
		p.fail("%s: %v", expression, err)
	}
}

// Await waits until a JavaScript expression is true, over reloads too.
func (p *Page) Await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, limit)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		raw, err := p.eval(ctx, "!!("+expression+")")
		if err == nil && string(raw) == "true" {
			return
		}
		if last = err; err == nil {
			last = fmt.Errorf("it stayed %s", raw)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	p.fail("waiting for %s: %v", expression, last)
}

// AwaitText waits until the element, the first the selector finds, is shown and
// holds the words.
func (p *Page) AwaitText(selector, words string) {
	p.t.Helper()
	p.Await(fmt.Sprintf("(deep(%q)?.innerText ?? '').includes(%q)", selector, words))
}

// Text is what a reader sees in an element; empty when it is not there.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	var text string
	p.Eval(fmt.Sprintf("deep(%q)?.innerText ?? ''", selector), &text)
	return text
}

// Click waits until the element can be clicked and clicks its middle with the
// mouse.
func (p *Page) Click(selector string) {
	p.t.Helper()
	x, y := p.middle(selector)
	p.Do(chromedp.MouseClickXY(x, y))
}

// DoubleClick clicks twice as fast as the browser takes it.
func (p *Page) DoubleClick(selector string) {
	p.t.Helper()
	x, y := p.middle(selector)
	p.Do(chromedp.MouseClickXY(x, y), chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
}

func (p *Page) middle(selector string) (x, y float64) {
	p.t.Helper()
	p.Await(fmt.Sprintf("(e => e && !e.disabled && e.checkVisibility() && e.getBoundingClientRect().width > 0)(deep(%q))", selector))
	var at [2]float64
	p.Eval(fmt.Sprintf(`(e => { e.scrollIntoView({block: "nearest", behavior: "instant"});
		const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })(deep(%q))`, selector), &at)
	return at[0], at[1]
}

// Type clicks into a field and replaces what is in it.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	p.Click(selector)
	p.Eval(fmt.Sprintf("deep(%q).select()", selector), nil)
	p.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// Press presses a key where the focus is, such as chromedp's kb.Enter.
func (p *Page) Press(key string) {
	p.t.Helper()
	p.Do(chromedp.KeyEvent(key))
}

// Picture keeps a picture of the whole page as name.png and answers its path.
func (p *Page) Picture(name string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, limit)
	defer cancel()
	// A page that another has just replaced has no size yet.
	p.Await("document.readyState === 'complete' && document.documentElement.getBoundingClientRect().width > 0")
	path, err := picturePath(p.t, name)
	if err == nil {
		var png []byte
		for {
			if png, err = chromedp.Run(ctx, chromedp.FullScreenshot(100)); err == nil || ctx.Err() != nil {
				break
			}
			time.Sleep(50 * time.Millisecond) // between two pages
		}
		if err == nil {
			err = os.WriteFile(path, png, 0o644)
		}
	}
	if err != nil {
		p.t.Fatalf("picture %s: %v", name, err)
	}
	return path
}

// Problems are the errors in the console and the requests that failed or were
// answered with 400 or more, since the page was opened.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// fail ends the test and says what could be seen at that time.
func (p *Page) fail(format string, args ...any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.Ctx, 10*time.Second)
	defer cancel()
	seen, _ := p.eval(ctx, "location.href + '\\n' + document.body?.innerText")
	var text string
	_ = json.Unmarshal(seen, &text)
	p.t.Fatalf("%s\non the page: %s\nproblems: %s", fmt.Sprintf(format, args...), text, strings.Join(p.Problems(), "\n  "))
}

func (p *Page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.asked[e.RequestID] = e.Request.Method + " " + e.Request.URL
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			p.problems = append(p.problems, fmt.Sprintf("%s: %d", p.asked[e.RequestID], e.Response.Status))
		}
	case *network.EventLoadingFailed:
		if !e.Canceled {
			p.problems = append(p.problems, fmt.Sprintf("%s: %s", p.asked[e.RequestID], e.ErrorText))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.problems = append(p.problems, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			var words []string
			for _, arg := range e.Args {
				words = append(words, strings.Trim(string(arg.Value), `"`)+arg.Description)
			}
			p.problems = append(p.problems, fmt.Sprintf("console %s: %s", e.Type, strings.Join(words, " ")))
		}
	}
}
