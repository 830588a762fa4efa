package console

import (
	"net/http"
	"net/url"
	"strings"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// replyTemplates are the replies, each with when it is true.
var replyTemplates = []struct{ Value, Text string }{
	{"RECOVERY", "Recovered: it works now"}, {"RESEND", "The confirmation again"}, {"REFUND_OFFERED", "A refund is offered"}, {"REFUNDED", "The money is on its way back"},
	{"NOT_FOUND", "Nothing found: what we need"}, {"CHECK_SPAM", "All is well: spam, login"}, {"DUPLICATE", "Paid twice: the second goes back"},
}

// replyBody is an answer to a customer: what it is made of, and the text.
type replyBody struct {
	Templates any
	Values    url.Values
	Back      string
	Key       string
	Rendered  *reconciliationv1.ReplyResponse
	Trouble   *trouble
}

// reply renders an answer, and sends it when that was asked for.
func (c *console) reply(w http.ResponseWriter, r *http.Request, v *visit) {
	sent, wrong := v.asked(r)
	if r.Method == http.MethodPost {
		sent, wrong = r.PostForm, nil
	}
	b := replyBody{Templates: replyTemplates, Values: url.Values{}, Back: ownPath(sent.Get("back")), Key: newKey(), Trouble: wrong}
	for _, key := range []string{"template", "order_id", "to", "subject", "in_reply_to", "signed_by", "reason"} {
		b.Values.Set(key, strings.TrimSpace(sent.Get(key)))
	}
	template := reconciliationv1.ReplyRequest_Template(reconciliationv1.ReplyRequest_Template_value[b.Values.Get("template")])
	if wrong == nil && template != 0 {
		send := r.Method == http.MethodPost && sent.Get("send") == "yes"
		act := &reconciliationv1.Act{IdempotencyKey: b.Key, Reason: previewReason, DryRun: true}
		ctx, cancel := v.within(r, lookupTimeout)
		if send {
			cancel()
			b.Key = sent.Get("key")
			act = &reconciliationv1.Act{IdempotencyKey: b.Key, Reason: b.Values.Get("reason")}
			ctx, cancel = v.acting(r)
		}
		defer cancel()
		rendered, err := c.support.Reply(ctx, &reconciliationv1.ReplyRequest{
			Template: template, OrderId: b.Values.Get("order_id"), To: b.Values.Get("to"), Subject: b.Values.Get("subject"),
			InReplyTo: b.Values.Get("in_reply_to"), SignedBy: b.Values.Get("signed_by"), Send: send, Act: act,
		})
		b.Rendered, b.Trouble = rendered, troubleOf("Reconciliation", err)
		if send {
			b.Trouble = actedTrouble("Reconciliation", err)
		}
	}
	status, told := http.StatusOK, ""
	if b.Trouble != nil {
		status = b.Trouble.Status
	}
	if b.Rendered.GetQueued() {
		told = "The reply is queued; the mail server has not taken it yet."
	}
	c.showAs(w, r, v, status, "reply", page{Title: "Reply", Nav: "lookup", Told: told, Body: b})
}
