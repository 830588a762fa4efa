package console

import (
	"net/http"
	"net/url"
	"strings"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

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
	return len(d.Fields) == 0 || len(values) > 0
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
	b.Result, b.Trouble = result, actedTrouble("Reconciliation", err)
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
	c.showAs(w, r, v, status, "deed", page{Title: b.Deed.Title, Nav: b.Deed.Nav, Body: b})
}
