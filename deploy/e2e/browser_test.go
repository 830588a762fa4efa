package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"makegood.example/services/platform/browsertest"
)

// TestInABrowser is what buyers do on the shop's page, in a real browser, while
// processes are killed. Each ends with one charge, one grant and one mail.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	var s *shop
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>App</title><script src="%s/makegood.classic.js"></script>
			<script>window.checkout = Makegood.createCheckout({ plan: "annual" });</script>`, s.URL())
	}))
	defer elsewhere.Close()
	s = open(t, append([]string{"ALLOWED_ORIGINS=" + elsewhere.URL}, killing...)...)
	chrome := browsertest.Start(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *shop, *browsertest.Browser)
	}{
		{"a purchase", browsePurchase},
		{"a phone in the dark", browseOnAPhone},
		{"declined, then another card", browseDecline},
		{"3-D Secure", browseAuthentication},
		{"orders is killed", browseOrdersKilled},
		{"the gateway is killed", browseGatewayKilled},
		{"two tabs", browseTwoTabs},
		{"a reload in the middle", browseReload},
		{"the back button", browseBack},
		{"Stripe's page", browseHosted},
		{"the shop's switches", browseSwitches},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name != "a purchase" {
				s.settle(t)
			}
			c.test(t, s, chrome.For(t))
		})
	}
	t.Run("from another site", func(t *testing.T) { browseFromElsewhere(t, s, chrome.For(t), elsewhere.URL) })
}

// browseFromElsewhere: the checkout of the SaaS's own site, which is allowed to
// call the edge, with the classic build and a payment method of its own.
func browseFromElsewhere(t *testing.T, s *shop, chrome *browsertest.Browser, site string) {
	b, p := s.buyer("browser elsewhere"), chrome.Open(browsertest.View{})
	p.Go(site)
	p.Await("checkout.ready.then(() => true)")
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	p.Eval(fmt.Sprintf("void checkout.submit({ email: %q, name: 'Jane Doe', paymentMethod: 'pm_card_visa' })", b.email), nil)
	p.Await("checkout.state.reference")
	p.Eval("checkout.state.reference", &b.reference)
	hold.reached(t)
	p.Go(site) // and the page is loaded again: it follows, over the other site's stream too
	awaitPhase(p, "following")
	hold.letGo(t, nil)
	awaitPhase(p, "done")
	b.judgeEffects(t, outcome{})
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("in the browser: %q", problems)
	}
}

// enters opens the shop and types the buyer's address.
func (b *buyer) enters(t *testing.T, p *browsertest.Page) {
	t.Helper()
	p.Go(b.shop.URL() + "/")
	p.Await("window.checkout && checkout.ready.then(() => true)")
	p.Type("[name=email]", b.email)
}

// clicks presses Pay; from then on the buyer has the page's reference.
func (b *buyer) clicks(t *testing.T, p *browsertest.Page) {
	t.Helper()
	p.Click("#pay")
	p.Await("checkout.state.reference")
	p.Eval("checkout.state.reference", &b.reference)
}

// chooses takes a card of the shop's panel.
func chooses(p *browsertest.Page, number string) { p.Click("[data-card='" + number + "']") }

func awaitPhase(p *browsertest.Page, phase string) {
	p.Await("checkout.state.phase === '" + phase + "'")
}

const title = "section [role=status] h2" // of what makegood.js draws

func browsePurchase(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	p.Picture("checkout/shop")
	p.DoubleClick("#pay")
	awaitPhase(p, "done")
	p.Eval("checkout.state.reference", &b.reference)
	p.AwaitText(title, "in") // You’re in
	p.Picture("checkout/done")
	b.judgeFulfilled(t, outcome{})
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("in the browser: %q", problems)
	}
	plain := chrome.Open(browsertest.View{NoScripts: true})
	plain.Go(s.URL() + "/payment-issue?ref=" + b.reference)
	plain.AwaitText("h1", "in")
	plain.Picture("checkout/page-without-scripts")
}

func browseOnAPhone(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("phone"), chrome.Open(browsertest.View{Phone: true, Dark: true})
	b.enters(t, p)
	p.Picture("checkout/shop-phone-dark")
	b.clicks(t, p)
	awaitPhase(p, "done")
	p.Picture("checkout/done-phone-dark")
	b.judgeFulfilled(t, outcome{})
	var wide bool
	if p.Eval("document.documentElement.scrollWidth > innerWidth", &wide); wide {
		t.Error("the page is wider than the phone")
	}
}

func browseDecline(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser declined"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	chooses(p, "4000000000009995")
	b.clicks(t, p)
	p.AwaitText("#buy [role=alert]", "insufficient funds")
	p.Picture("checkout/declined")
	chooses(p, "4242424242424242")
	p.Click("#pay")
	awaitPhase(p, "done")
	b.judgeEffects(t, outcome{})
}

func browseAuthentication(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser 3DS"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	chooses(p, "4000000000003220")
	b.clicks(t, p)
	p.Await("document.querySelector('iframe[name=stripe-3ds]')")
	var pending intent
	await(t, "the bank to ask", func() bool {
		for _, in := range b.atStripe(t).intents {
			pending = in
		}
		return pending.Status == "requires_action"
	})
	p.Picture("checkout/3ds")
	s.sim(t, http.MethodPost, "/_sim/payment_intents/"+pending.ID+"/authenticate", map[string]any{"outcome": "success"}, nil)
	awaitPhase(p, "done")
	b.judgeEffects(t, outcome{})
}

// browseOrdersKilled: Stripe has the money, and Orders is gone before it knows.
func browseOrdersKilled(t *testing.T, s *shop, chrome *browsertest.Browser) {
	s.pauseWebhooks(t, true)
	defer s.pauseWebhooks(t, false)
	b, p := s.buyer("browser orders killed"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	b.clicks(t, p)
	hold.reached(t)
	s.down(t, "orders")
	hold.letGo(t, []string{"orders"})
	p.AwaitText(title, "We cannot see your order right now")
	p.Picture("checkout/orders-killed")
	live, plain := chrome.Open(browsertest.View{}), chrome.Open(browsertest.View{NoScripts: true})
	for _, page := range []*browsertest.Page{live, plain} {
		page.Go(s.URL() + "/payment-issue?ref=" + b.reference)
		page.AwaitText("h1", "We cannot see your order right now")
	}
	b.waitsForAnApology(t)
	s.up(t, "orders")
	awaitPhase(p, "done")
	live.AwaitText("h1", "in") // without a reload by anybody
	plain.AwaitText("h1", "in")
	p.Picture("checkout/orders-killed-healed")
	b.judgeFulfilled(t, apologised)
}

// browseGatewayKilled: what served the page is gone, and the page says so itself.
func browseGatewayKilled(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser gateway killed"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	b.clicks(t, p)
	hold.reached(t)
	s.down(t, "gateway")
	p.AwaitText(title, "We cannot see your order right now")
	p.AwaitText("section .help a", "support@makegood.example") // kept from before
	p.Picture("checkout/gateway-killed")
	hold.letGo(t, nil)
	s.up(t, "gateway")
	awaitPhase(p, "done")
	p.Picture("checkout/gateway-killed-healed")
	b.judgeEffects(t, outcome{})
}

func browseTwoTabs(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser tabs"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	other := p.Tab()
	b.enters(t, other)
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	b.clicks(t, p)
	hold.reached(t)
	awaitPhase(other, "following")
	other.Picture("checkout/second-tab")
	other.Eval("checkout.submit({ email: 'jane@example.com' })", nil) // sends nothing
	hold.letGo(t, nil)
	awaitPhase(p, "done")
	awaitPhase(other, "done")
	b.judgeEffects(t, outcome{})
}

func browseReload(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser reload"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	b.clicks(t, p)
	hold.reached(t)
	p.Go(s.URL() + "/")
	p.Await("window.checkout?.state.phase === 'following'")
	p.AwaitText(title, "We are checking")
	hold.letGo(t, nil)
	awaitPhase(p, "done")
	b.judgeEffects(t, outcome{})
}

func browseBack(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser back"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	b.clicks(t, p)
	hold.reached(t)
	p.Go(s.URL() + "/payment-issue?ref=" + b.reference)
	p.Eval("void setTimeout(() => history.back())", nil)
	p.Await("window.checkout?.state.phase === 'following'")
	hold.letGo(t, nil)
	awaitPhase(p, "done")
	p.Go(s.URL() + "/payment-issue?ref=" + b.reference)
	p.Eval("void setTimeout(() => history.back())", nil)
	p.Await("window.checkout?.state.phase === 'done'") // and no form that could be sent again
	b.judgeEffects(t, outcome{})
}

// browseHosted: the subscription is bought on Stripe's page, and the buyer comes
// back to the page of the order.
func browseHosted(t *testing.T, s *shop, chrome *browsertest.Browser) {
	b, p := s.buyer("browser hosted"), chrome.Open(browsertest.View{})
	b.enters(t, p)
	p.Click("[value=annual-subscription]")
	p.Type("[name=email]", b.email)
	p.Click("#pay")
	p.Await("location.pathname.startsWith('/_sim/checkout/')")
	p.Picture("checkout/stripes-page")
	p.Go(s.URL() + "/") // left, and come back
	p.Await("window.checkout")
	p.Click("[value=annual-subscription]")
	awaitPhase(p, "act")
	p.Picture("checkout/left-stripes-page")
	p.Eval("checkout.state.reference", &b.reference)
	p.Click("section .actions button")
	p.Await("location.pathname.startsWith('/_sim/checkout/')")
	p.Click("button[value=pm_card_visa]")
	p.Await("location.pathname === '/welcome'")
	p.AwaitText("h1", "in")
	b.awaitAccess(t)
	if n := len(b.atStripe(t).charges); n != 1 {
		t.Errorf("%d charges", n)
	}
}

// browseSwitches: each thing that the shop lets people break ends well.
func browseSwitches(t *testing.T, s *shop, chrome *browsertest.Browser) {
	for _, name := range []string{"fault=reset_after", "fault=error_after", "network=lost", "network=html", "network=down"} {
		b, p := s.buyer("switch-"+strings.NewReplacer("=", "-", "_", "-").Replace(name)), chrome.Open(browsertest.View{})
		b.enters(t, p)
		button := "[data-" + name + "]"
		p.Click(button)
		p.Await("document.querySelector('" + button + "').ariaPressed === 'true'")
		if name == "network=down" {
			b.clicks(t, p)
			p.AwaitText(title, "We cannot see your order right now")
			p.Click(button)
		} else {
			b.clicks(t, p)
		}
		awaitPhase(p, "done")
		b.judgeEffects(t, outcome{})
	}
}
