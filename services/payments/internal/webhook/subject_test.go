package webhook_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"makegood.example/services/payments/internal/webhook"
)

// Every name is found where each object, in each version of Stripe's API, has it.
func TestSubject(t *testing.T) {
	for _, c := range []struct {
		eventType, object string
		want              webhook.Subject
	}{
		{"payment_intent.succeeded", `{"id":"pi_1","customer":"cus_1","latest_charge":"ch_1","metadata":{"order_id":"o"}}`,
			webhook.Subject{IntentID: "pi_1", CustomerID: "cus_1", Metadata: map[string]string{"order_id": "o"}}},
		{"charge.succeeded", `{"id":"ch_1","payment_intent":{"id":"pi_1"},"invoice":"in_1","customer":null}`,
			webhook.Subject{IsCharge: true, ChargeID: "ch_1", IntentID: "pi_1", InvoiceID: "in_1"}},
		{"charge.refunded", `{"id":"ch_1","payment_intent":null}`, webhook.Subject{IsCharge: true, WithoutIntent: true, ChargeID: "ch_1"}},
		{"charge.dispute.created", `{"id":"dp_1","charge":"ch_1","payment_intent":"pi_1"}`, webhook.Subject{ChargeID: "ch_1", IntentID: "pi_1"}},
		{"refund.updated", `{"id":"re_1","charge":{"id":"ch_1"}}`, webhook.Subject{ChargeID: "ch_1"}},
		{"checkout.session.completed", `{"id":"cs_1","client_reference_id":"r","subscription":"sub_1","payment_intent":null,"customer_details":{"email":"jane@example.com"}}`,
			webhook.Subject{SessionID: "cs_1", ClientReferenceID: "r", SubscriptionID: "sub_1", WithoutIntent: true, Email: "jane@example.com"}},
		{"customer.subscription.updated", `{"id":"sub_1","customer":{"id":"cus_1"}}`, webhook.Subject{SubscriptionID: "sub_1", CustomerID: "cus_1"}},
		{"invoice.paid", `{"id":"in_1","subscription":"sub_1","subscription_details":{"metadata":{"order_id":"o"}},"metadata":{"x":"y"},"customer_email":"jane@example.com"}`,
			webhook.Subject{InvoiceID: "in_1", SubscriptionID: "sub_1", Email: "jane@example.com", Metadata: map[string]string{"order_id": "o", "x": "y"}}},
		{"invoice.paid", `{"id":"in_1","parent":{"subscription_details":{"subscription":"sub_1","metadata":{"order_id":"o"}}}}`,
			webhook.Subject{InvoiceID: "in_1", SubscriptionID: "sub_1", Metadata: map[string]string{"order_id": "o"}}},
		{"customer.deleted", `{"id":"cus_1","object":"customer","email":"jane@example.com"}`, webhook.Subject{CustomerID: "cus_1", Email: "jane@example.com"}},
	} {
		e, err := webhook.Parse(fmt.Appendf(nil, `{"id":"evt_1","type":%q,"data":{"object":%s}}`, c.eventType, c.object))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Subject(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.eventType, got, err)
		}
	}
}

func TestSubjectThatCannotBeRead(t *testing.T) {
	for _, object := range []string{
		`[]`, `"pi_1"`, `{"id":7}`, `{"id":"ch_1","payment_intent":7}`, `{"id":"ch_1","customer":{"name":"x"}}`, `{"id":"ch_1","metadata":[]}`,
		`{"id":"ch_1","metadata":{"order_id":{}}}`, `{"id":"ch_\u0000"}`, `{"id":"` + strings.Repeat("c", 501) + `"}`,
		`{"id":"ch_1","client_reference_id":"\u0000"}`, `{"id":"ch_1","metadata":{"account_id":"\u0000"}}`,
	} {
		e, err := webhook.Parse(fmt.Appendf(nil, `{"id":"evt_1","type":"charge.succeeded","data":{"object":%s}}`, object))
		if err != nil {
			continue // refused already
		}
		if got, err := e.Subject(); err == nil {
			t.Errorf("%s: %+v", object, got)
		}
	}
}
