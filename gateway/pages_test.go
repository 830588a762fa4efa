package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

const refresh = `http-equiv="refresh"`

func TestThePageSaysWhatIsKnown(t *testing.T) {
	gw := start(t, nil)
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(noon.Add(d)) }
	wait := func(by *timestamppb.Timestamp) *ordersv1.NextAction {
		return &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT, By: by}
	}
	charged := func(state ordersv1.Order_State, until time.Duration) *ordersv1.Order {
		return &ordersv1.Order{State: state, ChargedAt: at(-time.Minute), AccessUntil: at(until), AmountDisplay: "$249.00"}
	}
	renewal := func(o *ordersv1.Order) *ordersv1.Order {
		o.Kind = ordersv1.Order_RENEWAL
		return o
	}
	for _, c := range []struct {
		name    string
		order   *ordersv1.Order
		want    []string
		not     []string
		refresh bool
	}{
		{"complete", charged(ordersv1.Order_COMPLETE, 365*24*time.Hour),
			[]string{"You’re in", "21 November 2026, 11:59 UTC", "Access ready", `until <time datetime="2027-11-21T12:00:00Z" data-form="day">21 November 2027</time>`, "$249.00"}, []string{"do not pay"}, false},
		{"recovered", charged(ordersv1.Order_RECOVERED, 365*24*time.Hour), []string{"You’re in", "It took longer than it should have, and we are sorry"}, nil, false},
		{"renewed", renewal(charged(ordersv1.Order_RECOVERED, 365*24*time.Hour)),
			[]string{"Your subscription is renewed", "the next term is added to your access", ">21 November 2027</time>", "To cancel before the next term, write to us"}, []string{"You’re in"}, false},
		{"a renewal that is charged", renewal(charged(ordersv1.Order_CHARGED, 0)),
			[]string{"we are adding the next term to your access now", "you do not need to pay again"}, []string{"setting up"}, true},
		{"a term that has run out", renewal(charged(ordersv1.Order_COMPLETE, -time.Hour)), []string{"Access ended", "a renewal has its own reference"}, []string{"is renewed"}, false},
		{"run out", charged(ordersv1.Order_COMPLETE, -time.Hour), []string{"Access ended"}, []string{"You’re in"}, false},
		{"charged", charged(ordersv1.Order_CHARGED, 0), []string{"we are setting up your access now", "11:59 UTC"}, []string{"Access ready", "until "}, true},
		{"complete, and there was nothing to pay", &ordersv1.Order{State: ordersv1.Order_COMPLETE, AccessUntil: at(time.Hour), AmountDisplay: "$0.00"},
			[]string{"There was nothing to pay, and your access is ready", "Nothing to pay", "$0.00"}, []string{"arrived", "Payment received"}, false},
		{"orphaned", charged(ordersv1.Order_ORPHANED, 0), []string{"we are setting up your access"}, nil, true},
		{"unknown outcome", &ordersv1.Order{State: ordersv1.Order_PENDING, NextAction: wait(at(30*time.Second + time.Millisecond))},
			[]string{"We are checking with the payment provider", "Please do not pay again yet", "We look again by <time datetime=\"2026-11-21T12:01:00Z\" data-form=\"clock\">12:01 UTC</time>."}, []string{"arrived", "charged", "Payment received"}, true},
		{"other money than was asked for", &ordersv1.Order{State: ordersv1.Order_PENDING, NextAction: wait(nil), PaymentError: &ordersv1.PaymentError{Code: "wrong_amount"}},
			[]string{"not of the amount that the order asked for", "your access, or your money back"}, []string{"checking"}, true},
		{"a look that is due", &ordersv1.Order{State: ordersv1.Order_PENDING, NextAction: wait(at(-time.Second))},
			[]string{"Please do not pay again yet"}, []string{"We look again by"}, true},
		{"authentication", &ordersv1.Order{State: ordersv1.Order_PENDING, NextAction: &ordersv1.NextAction{Type: ordersv1.NextAction_USE_STRIPE_SDK, ClientSecret: "pi_secret"}},
			[]string{"waiting for you to confirm"}, []string{"pi_secret"}, true},
		{"redirect", &ordersv1.Order{State: ordersv1.Order_PENDING, NextAction: &ordersv1.NextAction{Type: ordersv1.NextAction_REDIRECT, Url: "https://hooks.stripe.example.com/3ds?a=1&b=2"}},
			[]string{`href="https://hooks.stripe.example.com/3ds?a=1&amp;b=2"`, "Your payment is not finished", "Continue to that page"}, []string{"arrived", "charged"}, true},
		{"redirect that is none", &ordersv1.Order{State: ordersv1.Order_PENDING, NextAction: &ordersv1.NextAction{Type: ordersv1.NextAction_REDIRECT, Url: "javascript:alert(1)"}},
			nil, []string{"javascript:", "Continue to that page"}, true},
		{"declined", &ordersv1.Order{State: ordersv1.Order_FAILED, PaymentError: &ordersv1.PaymentError{Message: "Your card has <b>insufficient</b> funds."}},
			[]string{"Your card was not charged", "Your card has &lt;b&gt;insufficient&lt;/b&gt; funds."}, []string{"<b>"}, false},
		{"expired", &ordersv1.Order{State: ordersv1.Order_EXPIRED}, []string{"Nothing was charged"}, nil, false},
		{"refunded", charged(ordersv1.Order_REFUNDED, 0), []string{"Your payment was refunded", "$249.00", "5 to 10 business days"}, nil, false},
		{"a state of the future", &ordersv1.Order{State: ordersv1.Order_State(99)}, []string{"do not know yet whether your payment went through"}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			gw.peers.Orders.AnswerWith(c.order, nil)
			for _, path := range []string{"/payment-issue", "/welcome"} {
				a := gw.do(t, "GET", path+"?ref="+strings.ToUpper(reference), "")
				a.says(t, append(c.want, "5F0C1C1E", reference, "support@example.com"), c.not)
				if a.status != 200 || strings.Contains(a.body, refresh) != c.refresh {
					t.Errorf("status %d, refresh wanted: %v\n%s", a.status, c.refresh, a.body)
				}
			}
		})
	}
}

// says looks at what can be read on a page, its code left out.
func (a answer) says(t *testing.T, want, not []string) {
	t.Helper()
	seen := regexp.MustCompile(`(?s)<style>.*?</style>|<script>.*?</script>|<template.*?</template>`).ReplaceAllString(a.body, "")
	for _, want := range want {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is missing:\n%s", want, seen)
		}
	}
	for _, not := range not {
		if strings.Contains(seen, not) {
			t.Errorf("%q must not be said:\n%s", not, seen)
		}
	}
}

// A time is named only while it lies ahead; once one has passed the page says
// so, and what can be done.
func TestAPromiseIsNamedUntilItHasPassed(t *testing.T) {
	gw := start(t, nil)
	clock := func(at string) string {
		return `<time datetime="2026-11-21T` + at + `:00Z" data-form="clock">` + at + ` UTC</time>`
	}
	promised := func(order *ordersv1.Order, by time.Duration, missed int32, offered bool) *ordersv1.Order {
		order = proto.CloneOf(order)
		order.Promise = &ordersv1.Promise{By: timestamppb.New(noon.Add(by)), MissedCount: missed, RefundOffered: offered}
		if missed > 0 {
			order.Promise.MissedBy = timestamppb.New(noon.Add(-time.Hour))
		}
		order.NextAction = &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT, By: timestamppb.New(noon.Add(3 * time.Hour))}
		return order
	}
	charged := &ordersv1.Order{State: ordersv1.Order_CHARGED, EmailMasked: "j***@example.com"}
	pending := &ordersv1.Order{State: ordersv1.Order_PENDING}
	renewal := &ordersv1.Order{State: ordersv1.Order_CHARGED, Kind: ordersv1.Order_RENEWAL}
	for _, c := range []struct {
		name      string
		order     *ordersv1.Order
		want, not []string
	}{
		{"ahead", promised(charged, 5*time.Minute+time.Second, 0, false), []string{"Your access will be ready by " + clock("12:06")}, []string{"sorry", "15:00", "refund"}},
		{"money unknown", promised(pending, 2*time.Minute, 0, false), []string{"You will have an answer by " + clock("12:02")}, []string{"sorry"}},
		{"a renewal", promised(renewal, time.Minute, 0, false), []string{"It will be added by " + clock("12:01")}, []string{"sorry"}},
		{"passed, and nobody has named the next", promised(charged, -time.Second, 0, false), []string{"Your access is late", "We are sorry", "We had said " + clock("12:00") + ". We name the next time here"}, []string{"15:00"}},
		{"missed, the next is named", promised(charged, 30*time.Minute, 1, false), []string{"was not ready when we said it would be. We are sorry", "We had said " + clock("11:00") + ". It will be ready by " + clock("12:30")}, []string{"full refund"}},
		{"missed, with a refund", promised(charged, 30*time.Minute, 2, true), []string{"we offer you a full refund", "j***@example.com"}, nil},
		{"missed, money unknown", promised(pending, time.Hour, 1, false), []string{"We still do not know whether your payment went through", "The next time we can name is " + clock("13:00")}, []string{"arrived"}},
		{"missed renewal", promised(renewal, time.Hour, 1, false), []string{"the next term was not added when we said", "It will be added by " + clock("13:00")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			gw.peers.Orders.AnswerWith(c.order, nil)
			gw.do(t, "GET", "/payment-issue?ref="+reference, "").says(t, c.want, c.not)
		})
	}
}

func TestThePageIsThereWhileOrdersIsNot(t *testing.T) {
	gw := start(t, nil)
	static := func(t *testing.T) {
		t.Helper()
		began := time.Now()
		a := gw.do(t, "GET", "/payment-issue?ref="+reference, "")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		for _, want := range []string{
			"we do not know yet whether your payment went through. Please do not pay again for now.", "5F0C1C1E", reference, refresh,
			`href="mailto:support@example.com?subject=Order%205F0C1C1E`, `>support@example.com</a>`, `href="https://app.example.com"`, "Back to Acme",
		} {
			a.says(t, []string{want}, nil)
		}
		a.says(t, nil, []string{"arrived", "charged", "Payment received", "safe", "refund"})
		if a.status != 200 {
			t.Errorf("%d", a.status)
		}
	}
	t.Run("an error", func(t *testing.T) {
		gw.peers.Orders.AnswerWith(nil, apperr.New(codes.Internal, "", "boom"))
		static(t)
	})
	t.Run("another thing is not found", func(t *testing.T) {
		gw.peers.Orders.AnswerWith(nil, apperr.New(codes.NotFound, "PLAN_NOT_FOUND", "x"))
		static(t)
	})
	t.Run("hanging", func(t *testing.T) {
		gw.peers.Orders.Answer(func(ctx context.Context, _ proto.Message) (*ordersv1.Order, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		static(t)
	})
	t.Run("killed", func(t *testing.T) {
		gw.net.Stop("orders")
		static(t)
	})
}

func TestThePageWithoutAnOrder(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(nil, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "x"))
	a := gw.do(t, "GET", "/payment-issue?ref="+reference, "")
	if a.status != 200 || !strings.Contains(a.body, "We have no order under this reference yet") || !strings.Contains(a.body, refresh) {
		t.Errorf("%d %s", a.status, a.body)
	}
	gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_COMPLETE}, nil)
	for _, query := range []string{
		"", "?ref=", "?ref=5F0C1C1E", "?ref=%3Cscript%3Ealert(1)%3C/script%3E", "?ref=%22%20onload=%22alert(1)",
		"?ref=urn:uuid:" + reference, "?ref={" + reference + "}", "?ref=" + reference + "%3Cscript%3E", "?ref=" + strings.Repeat("a", 8000), "?%zz",
	} {
		a := gw.do(t, "GET", "/payment-issue"+query, "")
		if a.status != 200 || !strings.Contains(a.body, "please do not pay again for now") || strings.Contains(a.body, refresh) {
			t.Errorf("%.80s: %d %s", query, a.status, a.body)
		}
		for _, not := range []string{"<script", "onload", "alert(", "urn:", "5F0C1C1E", "aaaaaaaa"} {
			a.says(t, nil, []string{not})
		}
	}
	if gw.peers.Orders.Last().Request != nil {
		t.Error("Orders was asked about something that is no reference")
	}
}

func TestAPageNeedsAndAllowsNothingElse(t *testing.T) {
	gw := start(t, nil)
	gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_COMPLETE}, nil)
	live := []string{"connect-src 'self'", "form-action 'self'"}
	for path, allowed := range map[string][]string{
		"/payment-issue?ref=" + reference: live, "/payment-issue?ref=" + reference + "&refund=token": live, "/welcome": live, "/docs": {"form-action 'none'"},
	} {
		a := gw.do(t, "GET", path, "")
		wanted := append([]string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}, allowed...)
		for kind, inline := range map[string]string{"style": `(?s)<style>(.*?)</style>`, "script": `(?s)<script>(.*?)</script>`} {
			found := regexp.MustCompile(inline).FindAllStringSubmatch(a.body, -1)
			if len(found) == 0 && kind == "script" && path == "/docs" {
				continue
			}
			if len(found) != 1 {
				t.Fatalf("%s has %d times a %s", path, len(found), kind)
			}
			sum := sha256.Sum256([]byte(found[0][1]))
			wanted = append(wanted, kind+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		}
		policy := strings.Split(a.header.Get("Content-Security-Policy"), "; ")
		slices.Sort(policy)
		slices.Sort(wanted)
		if !slices.Equal(policy, wanted) {
			t.Errorf("%s: policy %q, want %q", path, policy, wanted)
		}
		cache := "no-store"
		if path == "/docs" { // the same for everybody, and asked for again by its ETag
			cache = "no-cache"
		}
		for header, want := range map[string]string{"Cache-Control": cache, "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", path, header, got)
			}
		}
		if regexp.MustCompile(`(?i)<script |<link|<img|<iframe|\ssrc=|@import|url\(|style="|\son[a-z]+="`).MatchString(a.body) {
			t.Errorf("%s fetches or inlines something", path)
		}
	}
	if strings.Contains(gw.log.String(), reference) {
		t.Error("the whole reference is in the log")
	}
}
