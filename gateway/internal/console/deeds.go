package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// deed is a step that a person takes for a customer: it is previewed, confirmed
// with a reason, and told as it went.
type deed struct {
	Name, Title string
	// Will says what it does, Button is what confirms it.
	Will, Button string
	// Done is said when every step of it has happened.
	Done   string
	Fields []deedField
	// Danger: money goes away.
	Danger bool
	call   func(context.Context, *console, url.Values, *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error)
}

// deedField is one thing that the step is about.
type deedField struct {
	Name, Label, Hint, Type string
	// Given: it comes with the link, and is shown rather than asked for.
	Given, Required bool
	// Hidden: it is only carried along.
	Hidden bool
}

var deeds = map[string]*deed{
	"recover": {
		Name: "recover", Title: "Recover", Button: "Recover now",
		Will: "Looks at Stripe afresh and makes good what is missing: the order, the access, the mail. What is there already is left alone.",
		Done: "Recovered: access is in force",
		Fields: []deedField{
			{Name: "order_id", Label: "Order", Given: true}, {Name: "charge_id", Label: "Charge", Given: true}, {Name: "email", Label: "Everything of", Given: true},
		},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			r := &reconciliationv1.RecoverRequest{Act: act}
			switch {
			case v.Get("order_id") != "":
				r.Target = &reconciliationv1.RecoverRequest_OrderId{OrderId: v.Get("order_id")}
			case v.Get("charge_id") != "":
				r.Target = &reconciliationv1.RecoverRequest_ChargeId{ChargeId: v.Get("charge_id")}
			default:
				r.Target = &reconciliationv1.RecoverRequest_Email{Email: v.Get("email")}
			}
			return c.support.Recover(ctx, r)
		},
	},
	"adopt": {
		Name: "adopt", Title: "Adopt a charge", Button: "Adopt it",
		Will: "Makes an order of a charge that has none, for the buyer and the plan that you name, and gives access.",
		Done: "Adopted: access is in force",
		Fields: []deedField{
			{Name: "charge_id", Label: "Charge", Given: true, Required: true},
			{Name: "email", Label: "Whose it is", Hint: "The address that gets the access and the mail.", Type: "email", Required: true},
			{Name: "name", Label: "Their name", Hint: "If you know it."},
			{Name: "plan_id", Label: "Plan", Hint: "Its id, such as annual.", Required: true},
		},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.AdoptCharge(ctx, &reconciliationv1.AdoptChargeRequest{ChargeId: v.Get("charge_id"), Email: v.Get("email"), Name: v.Get("name"), PlanId: v.Get("plan_id"), Act: act})
		},
	},
	"resend": {
		Name: "resend", Title: "Resend the confirmation", Button: "Send it again",
		Will:   "Sends the order's confirmation again, with a fresh link into the account.",
		Done:   "The mail is on its way",
		Fields: []deedField{{Name: "order_id", Label: "Order", Given: true, Required: true}},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.ResendMessage(ctx, &reconciliationv1.ResendMessageRequest{OrderId: v.Get("order_id"), Act: act})
		},
	},
	"refund": {
		Name: "refund", Title: "Refund", Button: "Refund", Danger: true,
		Will: "Gives money back. All of it ends the order's access; a part of it, or the second of two payments, does not.",
		Done: "The refund is made",
		Fields: []deedField{
			{Name: "order_id", Label: "Order", Given: true, Required: true}, {Name: "charge_id", Label: "Charge", Given: true},
			{Name: "currency", Given: true, Hidden: true},
			{Name: "amount", Label: "How much", Hint: "Empty is all that is left; a part is such as 50.00."},
		},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			minor := int64(0)
			if v.Get("amount") != "" {
				var ok bool
				if minor, ok = parseAmount(v.Get("amount"), v.Get("currency")); !ok || minor == 0 {
					return nil, errAmount
				}
			}
			return c.support.Refund(ctx, &reconciliationv1.RefundRequest{OrderId: v.Get("order_id"), ChargeId: v.Get("charge_id"), AmountMinor: minor, Act: act})
		},
	},
}

// deedOfRPC finds the step that a recommended call is.
var deedOfRPC = map[string]*deed{
	"reconciliation.v1.SupportService/Recover":       deeds["recover"],
	"reconciliation.v1.SupportService/AdoptCharge":   deeds["adopt"],
	"reconciliation.v1.SupportService/ResendMessage": deeds["resend"],
	"reconciliation.v1.SupportService/Refund":        deeds["refund"],
}

// values are the fields of a deed among what was sent.
func (d *deed) values(sent url.Values) url.Values {
	values := url.Values{}
	for _, f := range d.Fields {
		if value := strings.TrimSpace(sent.Get(f.Name)); value != "" {
			values.Set(f.Name, value)
		}
	}
	return values
}

// complete says whether all is given that must be.
func (d *deed) complete(values url.Values) bool {
	for _, f := range d.Fields {
		if f.Required && values.Get(f.Name) == "" {
			return false
		}
	}
	return len(values) > 0
}

// deedBody is a deed on its way: its fields, its preview, or what came of it.
type deedBody struct {
	Deed   *deed
	Values url.Values
	Reason string
	Back   string
	Key    string
	// Preview is the dry run; Result is what happened.
	Preview, Result *reconciliationv1.ActionResponse
	Trouble         *trouble
	// ReplyPath leads to the reply that fits what was done.
	ReplyPath string
}

// Would says whether the preview has anything that would be done.
func (b deedBody) Would() bool {
	for _, s := range b.Preview.GetSteps() {
		if s.GetOutcome() == reconciliationv1.Step_WOULD_DO {
			return true
		}
	}
	return false
}

// Asks are the fields that a person may still change.
func (b deedBody) Asks() bool {
	for _, f := range b.Deed.Fields {
		if !f.Given {
			return true
		}
	}
	return false
}

// previewReason fills the field that the contract wants; a dry run leaves no trace.
const previewReason = "a look at what would happen"

// preview shows what a step would do: nothing is done yet.
func (c *console) preview(w http.ResponseWriter, r *http.Request, v *visit) {
	d, ok := deeds[r.PathValue("deed")]
	if !ok {
		c.nowhere(w, r, v)
		return
	}
	sent, wrong := v.asked(r)
	if r.Method == http.MethodPost {
		sent, wrong = r.PostForm, nil
	}
	b := deedBody{Deed: d, Values: d.values(sent), Reason: sent.Get("reason"), Back: ownPath(sent.Get("back")), Key: newKey(), Trouble: wrong}
	if wrong == nil && d.complete(b.Values) {
		ctx, cancel := v.within(r, lookupTimeout)
		defer cancel()
		preview, err := d.call(ctx, c, b.Values, &reconciliationv1.Act{IdempotencyKey: newKey(), Reason: previewReason, DryRun: true})
		b.Preview, b.Trouble = preview, troubleOf("Reconciliation", err)
		if b.Trouble != nil {
			b.Trouble.Open = false // a dry run does nothing
		}
	}
	c.drawDeed(w, r, v, b)
}

// do takes the step, and says what came of it and no more. The page may be loaded
// again: the same key is answered the same.
func (c *console) do(w http.ResponseWriter, r *http.Request, v *visit) {
	if r.PostFormValue("confirm") != "yes" {
		c.preview(w, r, v)
		return
	}
	d, ok := deeds[r.PathValue("deed")]
	if !ok {
		c.nowhere(w, r, v)
		return
	}
	b := deedBody{Deed: d, Values: d.values(r.PostForm), Reason: strings.TrimSpace(r.PostFormValue("reason")), Back: ownPath(r.PostFormValue("back")), Key: r.PostFormValue("key")}
	ctx, cancel := v.acting(r)
	defer cancel()
	result, err := d.call(ctx, c, b.Values, &reconciliationv1.Act{IdempotencyKey: b.Key, Reason: b.Reason})
	b.Result, b.Trouble = result, troubleOf("Reconciliation", err)
	if id := result.GetOrder().GetId(); id != "" && result.GetDone() && d.Name == "recover" {
		b.ReplyPath = plainOrSealed(v.token, "/reply", url.Values{"template": {"RECOVERY"}, "order_id": {id}, "back": {b.Back}})
	}
	c.drawDeed(w, r, v, b)
}

func (c *console) drawDeed(w http.ResponseWriter, r *http.Request, v *visit, b deedBody) {
	status := http.StatusOK
	if b.Trouble != nil {
		status = b.Trouble.Status
	}
	c.showAs(w, r, v, status, "deed", page{Title: b.Deed.Title, Nav: "lookup", Body: b})
}
