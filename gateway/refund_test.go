package gateway_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"makegood.example/gateway/internal/peertest"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

const (
	refundToken = "a-token-of-the-offer"
	askPage     = "/payment-issue?ref=" + reference + "&refund=" + refundToken
)

// takesRefund sends the form as a browser does.
func (r *running) takesRefund(t *testing.T, token string, headers ...string) answer {
	t.Helper()
	return r.do(t, "POST", "/payment-issue", url.Values{"ref": {reference}, "refund": {token}}.Encode(),
		append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func TestOpeningTheLinkOnlyAsks(t *testing.T) {
	gw := start(t, map[string]string{"REFUND_DAYS": "two weeks"})
	asked, until := timestamppb.New(noon.Add(-time.Minute)), timestamppb.New(noon.Add(time.Hour))
	cannot := []string{"This link cannot make a refund", "5F0C1C1E"}
	form := `name="refund" value="` + refundToken + `"`
	for _, c := range []struct {
		name      string
		order     *ordersv1.Order
		want, not []string
	}{
		{"no access yet", &ordersv1.Order{State: ordersv1.Order_CHARGED, AmountDisplay: "$249.00", RefundOfferUntil: until},
			[]string{"Would you like your money back?", "What you paid for is not ready yet", "Refund $249.00", "two weeks", form, "Keep my order", `href="/payment-issue?ref=` + reference + `"`}, []string{"Back to Acme"}},
		{"access is ready now", &ordersv1.Order{State: ordersv1.Order_RECOVERED, AmountDisplay: "$249.00", RefundOfferUntil: until},
			[]string{"What you paid for is ready. A refund takes it away again.", form}, nil},
		{"without an amount", &ordersv1.Order{State: ordersv1.Order_CHARGED, RefundOfferUntil: until}, []string{"Refund my payment", form}, nil},
		{"never offered", &ordersv1.Order{State: ordersv1.Order_COMPLETE}, cannot, []string{refundToken, "<form"}},
		{"the offer has run out", &ordersv1.Order{State: ordersv1.Order_CHARGED, RefundOfferUntil: timestamppb.New(noon)}, cannot, []string{refundToken, "<form"}},
		{"asked for already", &ordersv1.Order{State: ordersv1.Order_CHARGED, RefundAskedAt: asked},
			[]string{"Your refund is being made", "21 November 2026, 11:59 UTC"}, []string{refundToken, "<form"}},
		{"could not be made", &ordersv1.Order{State: ordersv1.Order_COMPLETE, RefundAskedAt: asked, RefundFailed: true},
			[]string{"Your refund needs a person", "a person has it in hand"}, []string{"<form", "Your refund is being made", "was refunded"}},
		{"refunded already", &ordersv1.Order{State: ordersv1.Order_REFUNDED, RefundAskedAt: asked}, []string{"Your payment was refunded", "two weeks"}, []string{refundToken, "<form"}},
		{"never paid", &ordersv1.Order{State: ordersv1.Order_EXPIRED}, []string{"Nothing was charged"}, []string{refundToken, "<form"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			gw.peers.Orders.AnswerWith(c.order, nil)
			a := gw.do(t, "GET", askPage, "")
			a.says(t, c.want, c.not)
			if strings.Contains(a.body, "<form") && strings.Contains(a.body, refresh) {
				t.Error("a form that goes away by itself")
			}
			if _, isRead := gw.peers.Orders.Last().Request.(*ordersv1.GetOrderRequest); !isRead || a.status != 200 {
				t.Errorf("%d, asked %v", a.status, gw.peers.Orders.Last().Request)
			}
		})
	}
	gw.net.Stop(peertest.Orders)
	gw.do(t, "GET", askPage, "").says(t, []string{"We cannot see your order right now"}, []string{refundToken, "<form"})
}

func TestTheFormTakesTheOffer(t *testing.T) {
	gw := start(t, nil)
	own := gw.url
	for _, headers := range [][]string{
		{"Origin", "null", "Sec-Fetch-Site", "same-origin"}, // what browsers send from a page without a referrer
		{"Origin", "null"}, // an old browser
		{"Origin", own},
		{},
	} {
		gw.peers.Orders.AnswerWith(&ordersv1.Order{State: ordersv1.Order_CHARGED, RefundAskedAt: timestamppb.New(noon)}, nil)
		a := gw.takesRefund(t, refundToken, headers...)
		if a.status != 303 || a.header.Get("Location") != "/payment-issue?ref="+reference || a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%v: %d %v", headers, a.status, a.header)
		}
		got, isRefund := gw.peers.Orders.Last().Request.(*ordersv1.RefundOrderRequest)
		if !isRefund || got.GetReference() != reference || got.GetToken() != refundToken {
			t.Errorf("Orders was asked %v", got)
		}
	}
	gw.do(t, "GET", "/payment-issue?ref="+reference, "").says(t, []string{"You asked for your money back on", "Refund asked for", "Refund being made"}, nil)

	for _, c := range []struct {
		name, token string
		headers     []string
	}{
		{"another site", refundToken, []string{"Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site"}},
		{"another site, hidden", refundToken, []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}},
		{"another site, old browser", refundToken, []string{"Origin", "https://evil.example.com"}},
		{"no token", "", nil},
		{"a long token", strings.Repeat("a", 129), nil},
	} {
		gw.peers.Orders.AnswerWith(&ordersv1.Order{}, nil)
		a := gw.takesRefund(t, c.token, c.headers...)
		if a.status != 403 || gw.peers.Orders.Last().Request != nil {
			t.Errorf("%s: %d, Orders was asked %v", c.name, a.status, gw.peers.Orders.Last().Request)
		}
		a.says(t, []string{"This link cannot make a refund", "5F0C1C1E", "support@example.com"}, []string{"<form"})
	}
	if a := gw.do(t, "POST", "/payment-issue", "ref=nonsense&refund=x", "Content-Type", "application/x-www-form-urlencoded"); a.status != 400 {
		t.Errorf("%d", a.status)
	}
	if a := gw.takesRefund(t, strings.Repeat("a", 1<<20)); a.status != 400 {
		t.Errorf("a large form: %d", a.status)
	}
}

func TestARefundThatIsNotTakenIsSaidAsItIs(t *testing.T) {
	gw := start(t, nil)
	again := `<button id="refund" class="button primary" type="submit">Ask again</button>`
	for _, c := range []struct {
		err       error
		status    int
		want, not []string
	}{
		{apperr.New(codes.PermissionDenied, "REFUND_NOT_OFFERED", "x"), 403, []string{"This link cannot make a refund"}, []string{"<form", refundToken}},
		{apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "x"), 403, []string{"This link cannot make a refund"}, []string{"<form"}},
		{apperr.New(codes.Aborted, "INVALID_STATE", "x"), 409, []string{"This order cannot be refunded from here"}, []string{"<form"}},
		{apperr.New(codes.Unavailable, "", "x"), 503, []string{"We do not know yet whether your request arrived", "Asking again never refunds twice", again, refundToken}, []string{"cannot make a refund"}},
		{apperr.New(codes.Internal, "", "x"), 503, []string{"We do not know yet whether your request arrived", again}, nil},
	} {
		gw.peers.Orders.AnswerWith(nil, c.err)
		a := gw.takesRefund(t, refundToken)
		if a.status != c.status {
			t.Errorf("%v: %d, want %d", c.err, a.status, c.status)
		}
		a.says(t, append(c.want, "5F0C1C1E", "support@example.com", `href="/payment-issue?ref=`+reference+`"`), append(c.not, refresh))
	}
	gw.net.Stop(peertest.Orders)
	if a := gw.takesRefund(t, refundToken); a.status != 503 {
		t.Errorf("without Orders: %d", a.status)
	}
	gw.do(t, "GET", askPage, "")
	if log := gw.log.String(); strings.Contains(log, refundToken) || strings.Contains(log, reference) {
		t.Errorf("the log has the token or the reference:\n%s", log)
	}
}
