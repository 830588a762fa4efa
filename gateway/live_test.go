package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"makegood.example/gateway/internal/peertest"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/browsertest"
)

// standing is how the order of a live test stands; a test moves it.
type standing struct {
	order atomic.Pointer[ordersv1.Order]
}

func (s *standing) is(state ordersv1.Order_State, change ...func(*ordersv1.Order)) {
	o := &ordersv1.Order{
		Reference: reference, State: state, AmountMinor: 24900, AmountDisplay: "$249.00", EmailMasked: "j***@example.com",
		CreatedAt: timestamppb.New(noon), NextAction: &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT},
	}
	if state != ordersv1.Order_PENDING {
		o.ChargedAt = timestamppb.New(noon)
	}
	for _, c := range change {
		c(o)
	}
	s.order.Store(o)
}

// live runs a gateway whose Orders answers with one order that a test moves.
func live(t *testing.T, now func() time.Time) (*running, *standing) {
	t.Helper()
	gw, s := startAt(t, nil, now), &standing{}
	s.is(ordersv1.Order_PENDING)
	gw.peers.Orders.Answer(func(_ context.Context, req proto.Message) (*ordersv1.Order, error) {
		if _, asks := req.(*ordersv1.RefundOrderRequest); asks {
			s.is(ordersv1.Order_CHARGED, func(o *ordersv1.Order) { o.RefundAskedAt = timestamppb.New(noon) })
		}
		return s.order.Load(), nil
	})
	return gw, s
}

// in sets the reader's zone before the page is opened.
func in(zone string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone})
		return err
	})
}

// before runs a script in every page before the page's own.
func before(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

func TestAnOpenPageFollowsItsOrder(t *testing.T) {
	t.Parallel()
	gw, order := live(t, time.Now)
	page := browsertest.Start(t).Open(browsertest.View{Phone: true})
	page.Do(in("Asia/Kolkata"))
	page.Go(gw.url + "/payment-issue?ref=" + reference)
	page.AwaitText("h1", "We are checking your payment")
	page.Eval("window.sameDocument = true, document.getElementById('home').focus()", nil)
	page.Await("document.getElementById('say').textContent === ''") // nothing new, nothing is read out

	order.is(ordersv1.Order_CHARGED)
	page.AwaitText("h1", "Your payment arrived")
	page.AwaitText(".steps", "5:30") // noon in UTC, on the reader's clock
	page.Await("document.getElementById('say').textContent.startsWith('Your payment arrived We have your payment')")
	page.Await("document.title === 'Your payment arrived · Acme'")
	page.Await("document.activeElement.id === 'home'")

	order.is(ordersv1.Order_COMPLETE, func(o *ordersv1.Order) { o.AccessUntil = timestamppb.New(noon.AddDate(9, 0, 0)) })
	page.AwaitText("h1", "You’re in")
	page.AwaitText(".steps", "November 21, 2035")
	page.Await("document.getElementById('live').dataset.news === 'no'")
	page.Await("window.sameDocument === true && document.activeElement.id === 'home'")

	// Something that happens later is seen by who comes back to the page.
	order.is(ordersv1.Order_REFUNDED)
	page.Eval("document.dispatchEvent(new Event('visibilitychange'))", nil)
	page.AwaitText("h1", "Your payment was refunded")
	if problems := page.Problems(); len(problems) != 0 {
		t.Errorf("%q", problems)
	}
}

func TestAnOpenPageKeepsWhatItKnewAndHeals(t *testing.T) {
	t.Parallel()
	gw, order := live(t, time.Now)
	page := browsertest.Start(t).Open(browsertest.View{})
	order.is(ordersv1.Order_CHARGED)
	page.Go(gw.url + "/payment-issue?ref=" + reference)
	page.AwaitText("h1", "Your payment arrived")

	gw.net.Stop(peertest.Orders)
	page.AwaitText("#stale", "We get no news at the moment. What you see here is from")
	page.Await("document.getElementById('say').textContent.includes('no news')")
	if h1 := page.Text("h1"); h1 != "Your payment arrived" {
		t.Errorf("what was known is gone: %s", h1)
	}
	if stale := page.Text("#stale"); strings.Contains(stale, "The time we named") || strings.Contains(stale, "{time}") {
		t.Error(stale)
	}
	page.Picture("live/no-news")

	order.is(ordersv1.Order_RECOVERED)
	gw.net.Restart(t, peertest.Orders)
	page.AwaitText("h1", "You’re in")
	page.Await("!document.getElementById('stale')")
}

func TestAnOpenPageIsPolledWhereNoStreamIsToBeHad(t *testing.T) {
	t.Parallel()
	gw, order := live(t, time.Now)
	for range 20 { // all that one address may have
		heard, _ := gw.follow(t.Context(), t)
		next(t, heard)
	}
	page := browsertest.Start(t).Open(browsertest.View{})
	page.Go(gw.url + "/payment-issue?ref=" + reference)
	page.AwaitText("h1", "We are checking your payment")
	page.Await("performance.getEntriesByType('resource').some(e => e.name.endsWith('/events'))")
	order.is(ordersv1.Order_CHARGED)
	page.AwaitText("h1", "Your payment arrived")
	for _, p := range page.Problems() {
		if !strings.Contains(p, "/events: 429") {
			t.Error(p)
		}
	}
}

// The order does not change, and nobody says that the time has passed; the page
// sees it by itself, and without Orders says what that means.
func TestAnOpenPageOwnsAPromiseThatPasses(t *testing.T) {
	t.Parallel()
	// By a clock that reaches a full minute soon.
	by := time.Now().Truncate(time.Minute).Add(time.Hour)
	ahead := time.Until(by) - 5*time.Second
	gw, order := live(t, func() time.Time { return time.Now().Add(ahead) })
	order.is(ordersv1.Order_CHARGED, func(o *ordersv1.Order) { o.Promise = &ordersv1.Promise{By: timestamppb.New(by)} })
	clock := before(fmt.Sprintf(`{ const Real = Date, ahead = %d; window.Date = class extends Real {
		constructor(...a) { a.length ? super(...a) : super(Real.now() + ahead); } static now() { return Real.now() + ahead; } }; }`, ahead.Milliseconds()))
	browser := browsertest.Start(t)
	page, alone := browser.Open(browsertest.View{}), browser.Open(browsertest.View{})
	page.Do(clock)
	page.Go(gw.url + "/payment-issue?ref=" + reference)
	page.AwaitText("h1", "Your access is late")
	page.AwaitText(".promise", "We name the next time here")
	page.Await("document.getElementById('say').textContent.includes('We are sorry')")

	by = by.Add(time.Minute)
	ahead = time.Until(by) - 5*time.Second
	order.is(ordersv1.Order_CHARGED, func(o *ordersv1.Order) { o.Promise = &ordersv1.Promise{By: timestamppb.New(by)} })
	alone.Do(before(fmt.Sprintf(`{ const Real = Date, ahead = %d; window.Date = class extends Real {
		constructor(...a) { a.length ? super(...a) : super(Real.now() + ahead); } static now() { return Real.now() + ahead; } }; }`, ahead.Milliseconds())))
	alone.Go(gw.url + "/payment-issue?ref=" + reference)
	alone.AwaitText(".promise", "Your access will be ready by")
	gw.net.Stop(peertest.Orders)
	alone.AwaitText("#stale", "The time we named has passed, and we cannot see from here whether it was kept. We are sorry.")
	alone.Await("!document.querySelector('.promise').checkVisibility()")
	alone.Picture("live/no-news-promise")
}

func TestTheReferenceIsCopied(t *testing.T) {
	t.Parallel()
	gw, _ := live(t, time.Now)
	page := browsertest.Start(t).Open(browsertest.View{})
	page.Do(before(`navigator.clipboard.writeText = async (text) => { window.copied = text; };`))
	page.Go(gw.url + "/payment-issue?ref=" + reference)
	page.Click("#copy")
	page.AwaitText("#copy", "Copied")
	page.Await("window.copied === '" + reference + "' && document.getElementById('say').textContent === 'The reference is copied.'")
	page.AwaitText("#copy", "Copy")
}

func TestARefundIsAskedForInTheBrowser(t *testing.T) {
	for name, view := range map[string]browsertest.View{"scripts": {Phone: true}, "no-scripts": {NoScripts: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gw, order := live(t, time.Now)
			offered := func(o *ordersv1.Order) { o.RefundOfferUntil = timestamppb.New(time.Now().Add(time.Hour)) }
			order.is(ordersv1.Order_CHARGED, offered)
			page := browsertest.Start(t).Open(view)
			page.Go(gw.url + askPage)
			page.AwaitText("h1", "Would you like your money back?")
			if !view.NoScripts {
				order.is(ordersv1.Order_COMPLETE, offered) // while the question is on the screen
				page.AwaitText("h1", "Would you still like your money back?")
			}
			page.Click("#refund")
			page.AwaitText("h1", "Your refund is being made")
			page.AwaitText(".steps", "Refund asked for")
			page.Await("location.search === '?ref=" + reference + "'")
			if problems := page.Problems(); len(problems) != 0 {
				t.Errorf("%q", problems)
			}
		})
	}
}

func TestThePageIsWholeWithoutScripts(t *testing.T) {
	t.Parallel()
	gw, order := live(t, time.Now)
	order.is(ordersv1.Order_CHARGED, func(o *ordersv1.Order) {
		o.Promise = &ordersv1.Promise{By: timestamppb.New(time.Now().Add(5 * time.Minute))}
	})
	page := browsertest.Start(t).Open(browsertest.View{NoScripts: true})
	page.Go(gw.url + "/payment-issue?ref=" + reference)
	text := page.Text("body")
	for _, want := range []string{"Your payment arrived", " UTC.", "5F0C1C1E", reference, "support@example.com", "Look again now", "21 November 2026, 12:00 UTC", "Back to Acme"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Copy") {
		t.Error("a button that does nothing")
	}
	page.Await("document.querySelector('meta[http-equiv=refresh]').content === '15'")
	page.Picture("live/no-scripts")
	order.is(ordersv1.Order_COMPLETE)
	page.Click(".again a")
	page.AwaitText("h1", "You’re in")
}
