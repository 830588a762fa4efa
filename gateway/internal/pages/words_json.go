package pages

import "encoding/json"

// Catalogue is the words of the status page as JSON, for makegood.js, which
// draws the page while the edge cannot be reached.
func Catalogue() []byte {
	type said struct {
		Title string `json:"title"`
		Lead  string `json:"lead"`
		Next  string `json:"next"`
	}
	situations := map[string]said{}
	for name, s := range map[string]situation{
		"unreachable": unreachable, "not_found": notFound, "checking": checking, "checking_late": checking,
		"buyer_must_act": buyerMustAct, "pay_elsewhere": payElsewhere, "setting_up": settingUp, "setting_up_late": settingUp,
		"extending": extending, "extending_late": extending, "ready": ready, "ready_late": ready, "renewed": renewed,
		"access_ended": accessEnded, "declined": declined, "nothing_charged": nothingCharged, "refunding": refunded, "refunded": refunded,
	} {
		situations[name] = said(catalogue[s])
	}
	body, err := json.Marshal(map[string]any{
		"lang": "en", "situations": situations,
		"steps": map[string]string{"payment_received": wordReceived},
		"around": map[string]string{
			"reference": wordReference, "copy": "Copy", "copied": "Copied", "look_again": "Look again now", "your_address": "your email address",
			"questions_help": "Write to {mail} and mention the reference.", "mail_subject": "Order {short}", "mail_body": "My order reference is {reference}.",
			"stale": "We get no news at the moment. What you see here is from {time}. This page keeps asking.",
		},
	})
	if err != nil {
		panic(err) // strings alone
	}
	return body
}
