package console

import (
	"cmp"
	"context"
	"net/url"

	"google.golang.org/protobuf/types/known/timestamppb"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// deed is a step that a person takes for a customer: it is previewed, confirmed
// with a reason, and told as it went.
type deed struct {
	Name, Title string
	// Nav is the page that it belongs to; Role is the least that may, support when empty.
	Nav, Role string
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
		Name: "recover", Title: "Recover", Nav: "lookup", Button: "Recover now",
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
		Name: "adopt", Title: "Adopt a charge", Nav: "lookup", Button: "Adopt it",
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
		Name: "resend", Title: "Resend the confirmation", Nav: "lookup", Button: "Send it again",
		Will:   "Sends the order's confirmation again, with a fresh link into the account.",
		Done:   "The mail is on its way",
		Fields: []deedField{{Name: "order_id", Label: "Order", Given: true, Required: true}},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.ResendMessage(ctx, &reconciliationv1.ResendMessageRequest{OrderId: v.Get("order_id"), Act: act})
		},
	},
	"refund": {
		Name: "refund", Title: "Refund", Nav: "lookup", Button: "Refund", Danger: true,
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
	"link": {
		Name: "link", Title: "Link an event", Nav: "events", Button: "Link it",
		Will: "Says whose the event's Stripe customer is. From then on everything of that customer is that person's, and what waits for it is handled by itself.",
		Done: "The event's customer is linked",
		Fields: []deedField{
			eventField,
			{Name: "order_id", Label: "Order id of the person whose it is", Hint: "The whole id, as the lookup shows it.", Required: true},
		},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.LinkEvent(ctx, &reconciliationv1.LinkEventRequest{StripeEventId: v.Get("event_id"), OrderId: v.Get("order_id"), Act: act})
		},
	},
	"replay": {
		Name: "replay", Title: "Handle an event again", Nav: "events", Button: "Handle it now",
		Will: "Handles the event once more, now, and says what came of it. One that has its effects is left alone.",
		Done: "The event is handled", Fields: []deedField{eventField},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.ReplayEvent(ctx, &reconciliationv1.ReplayEventRequest{StripeEventId: v.Get("event_id"), Act: act})
		},
	},
	"ignore": {
		Name: "ignore", Title: "Ignore an event", Nav: "events", Button: "Ignore it",
		Will: "Ends an event that needs nothing. It stays in the ledger.",
		Done: "The event is ignored", Fields: []deedField{eventField},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.IgnoreEvent(ctx, &reconciliationv1.IgnoreEventRequest{StripeEventId: v.Get("event_id"), Act: act})
		},
	},
	"hooks": {
		Name: "hooks", Title: "Tell the app again", Nav: "hooks", Button: "Send again",
		Will: "Your own app is sent the changes of access again, now, each account's in their order and under the ids that they had. What it took already, it knows again.",
		Done: "They are on their way to the app",
		Fields: []deedField{
			{Name: "account_id", Label: "Account", Given: true},
			{Name: "which", Label: "Of each account", Given: true},
			{Name: "since", Label: "Changes since", Hint: "UTC, such as 2026-11-21 01:20.", Required: true},
		},
		call: func(ctx context.Context, c *console, v url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			since, err := parseSince(v.Get("since"))
			if err != nil {
				return nil, err
			}
			return c.support.SendHooksAgain(ctx, &reconciliationv1.SendHooksAgainRequest{AccountId: v.Get("account_id"), Since: timestamppb.New(since), Undelivered: v.Get("which") != "", Act: act})
		},
	},
	"pause": {
		Name: "pause", Title: "Pause new charges", Nav: "charging", Role: "admin", Button: "Pause new charges", Danger: true,
		Will: "From then on nobody can buy, and the shop says so. Whoever has paid still gets their access.",
		Done: "New charges are paused",
		call: func(ctx context.Context, c *console, _ url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.SetCharging(ctx, &reconciliationv1.SetChargingRequest{Paused: true, Act: act})
		},
	},
	"resume": {
		Name: "resume", Title: "Take charges again", Nav: "charging", Role: "admin", Button: "Take charges again",
		Will: "From then on people can buy again.",
		Done: "New charges are taken",
		call: func(ctx context.Context, c *console, _ url.Values, act *reconciliationv1.Act) (*reconciliationv1.ActionResponse, error) {
			return c.support.SetCharging(ctx, &reconciliationv1.SetChargingRequest{Act: act})
		},
	},
}

var eventField = deedField{Name: "event_id", Label: "Event", Given: true, Required: true}

// Least is the least role that may.
func (d *deed) Least() string { return cmp.Or(d.Role, "support") }

// deedOfRPC finds the step that a recommended call is.
var deedOfRPC = map[string]*deed{
	"reconciliation.v1.SupportService/Recover":       deeds["recover"],
	"reconciliation.v1.SupportService/AdoptCharge":   deeds["adopt"],
	"reconciliation.v1.SupportService/ResendMessage": deeds["resend"],
	"reconciliation.v1.SupportService/Refund":        deeds["refund"],
}
