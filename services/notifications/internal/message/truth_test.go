package message

import (
	"testing"
	"time"
)

func TestWhatMayBeSent(t *testing.T) {
	now := time.Date(2027, 11, 20, 12, 0, 0, 0, time.UTC)
	const (
		orderKey  = "order/1/payment-failed"
		failedKey = "subscription/sub_1/invoice/in_2/payment-failed"
		actionKey = "subscription/sub_1/invoice/in_2/action-required"
		endingKey = "subscription/sub_1/access-ending/2027-11-27"
	)
	type sub = Subscription
	declined, asks := &UnpaidInvoice{InvoiceID: "in_2"}, &UnpaidInvoice{InvoiceID: "in_2", ActionRequired: true}
	another := &UnpaidInvoice{InvoiceID: "in_22"}
	soon, past := now.Add(time.Hour), now.Add(-time.Hour)
	for name, c := range map[string]struct {
		kind  Kind
		key   string
		order Order
		want  bool
	}{
		"a confirmation, complete":                    {Confirmation, "order/1/confirmation", Order{State: "COMPLETE"}, true},
		"a confirmation, recovered":                   {Confirmation, "order/1/confirmation", Order{State: "RECOVERED"}, false},
		"a recovery, recovered":                       {Recovery, "order/1/confirmation", Order{State: "RECOVERED"}, true},
		"a recovery, refunded":                        {Recovery, "order/1/confirmation", Order{State: "REFUNDED"}, false},
		"renewed, complete":                           {Renewed, "order/1/confirmation", Order{State: "COMPLETE", Renewal: true}, true},
		"renewed, recovered":                          {Renewed, "order/1/confirmation", Order{State: "RECOVERED", Renewal: true}, true},
		"renewed, not yet":                            {Renewed, "order/1/confirmation", Order{State: "CHARGED", Renewal: true}, false},
		"renewed, refunded":                           {Renewed, "order/1/confirmation", Order{State: "REFUNDED", Renewal: true}, false},
		"renewed, a purchase":                         {Renewed, "order/1/confirmation", Order{State: "COMPLETE"}, false},
		"a refund":                                    {Refund, "order/1/refund/5", Order{State: "COMPLETE", RefundedDisplay: "$0.05"}, true},
		"a refund that came back":                     {Refund, "order/1/refund/5", Order{State: "COMPLETE"}, false},
		"a second payment refunded":                   {DuplicateRefunded, "order/1/refund/5", Order{State: "REFUNDED", RefundedDisplay: "$0.05"}, true},
		"a second payment's refund that came back":    {DuplicateRefunded, "order/1/refund/5", Order{State: "COMPLETE"}, false},
		"still working, charged":                      {StillWorking, "order/1/still-working", Order{State: "CHARGED"}, true},
		"still working, adopted":                      {StillWorking, "order/1/still-working", Order{State: "ORPHANED"}, true},
		"still working, access is there":              {StillWorking, "order/1/still-working", Order{State: "RECOVERED"}, false},
		"still working, the refund was taken":         {StillWorking, "order/1/still-working", Order{State: "CHARGED", RefundAsked: true}, false},
		"still working, not paid":                     {StillWorking, "order/1/still-working", Order{State: "PENDING", Waits: true}, false},
		"a refund offered":                            {RefundOffer, "order/1/refund-offer", Order{State: "CHARGED", RefundToken: "t", RefundUntil: soon}, true},
		"a refund offered until before":               {RefundOffer, "order/1/refund-offer", Order{State: "CHARGED", RefundToken: "t", RefundUntil: now}, false},
		"a refund offered by nobody":                  {RefundOffer, "order/1/refund-offer", Order{State: "CHARGED", RefundUntil: soon}, false},
		"a refund offered and taken":                  {RefundOffer, "order/1/refund-offer", Order{State: "CHARGED", RefundToken: "t", RefundUntil: soon, RefundAsked: true}, false},
		"a refund offered, made by somebody":          {RefundOffer, "order/1/refund-offer", Order{State: "CHARGED", RefundToken: "t", RefundUntil: soon, RefundedDisplay: "$1.00"}, false},
		"a refund offered, disputed since":            {RefundOffer, "order/1/refund-offer", Order{State: "CHARGED", RefundToken: "t", RefundUntil: soon, Disputed: true}, false},
		"a refund offered, access is there":           {RefundOffer, "order/1/refund-offer", Order{State: "RECOVERED", RefundToken: "t", RefundUntil: soon}, false},
		"a repeat refused, the first paid":            {RepeatRefused, "order/1/repeat-refused", Order{State: "COMPLETE"}, true},
		"a repeat refused, the first being checked":   {RepeatRefused, "order/1/repeat-refused", Order{State: "PENDING", Waits: true}, true},
		"a repeat refused, the first waits for them":  {RepeatRefused, "order/1/repeat-refused", Order{State: "PENDING"}, false},
		"a repeat refused, the first declined":        {RepeatRefused, "order/1/repeat-refused", Order{State: "FAILED"}, false},
		"a repeat refused, the first refunded":        {RepeatRefused, "order/1/repeat-refused", Order{State: "REFUNDED"}, false},
		"an order given up":                           {PaymentFailed, orderKey, Order{State: "EXPIRED"}, true},
		"an order refused":                            {PaymentFailed, orderKey, Order{State: "FAILED"}, true},
		"an order paid after all":                     {PaymentFailed, orderKey, Order{State: "COMPLETE"}, false},
		"an order paid, its renewal not":              {PaymentFailed, orderKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Unpaid: declined}}, false},
		"a renewal, past due":                         {PaymentFailed, failedKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Renews: true, Unpaid: declined}}, true},
		"a renewal, given up by Stripe":               {PaymentFailed, failedKey, Order{State: "RECOVERED", Subscription: &sub{ID: "sub_1", Status: Unpaid, Unpaid: declined}}, true},
		"a renewal, the first term long refunded":     {PaymentFailed, failedKey, Order{State: "REFUNDED", Subscription: &sub{ID: "sub_1", Status: PastDue, Unpaid: declined}}, true},
		"a renewal, paid since":                       {PaymentFailed, failedKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Active, Renews: true}}, false},
		"a renewal, another unpaid":                   {PaymentFailed, failedKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Unpaid: another}}, false},
		"a renewal, another subscription":             {PaymentFailed, failedKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_2", Status: PastDue, Unpaid: declined}}, false},
		"a renewal, the bank asks":                    {PaymentFailed, failedKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Unpaid: asks}}, false},
		"a renewal, over":                             {PaymentFailed, failedKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Ended, Unpaid: declined}}, false},
		"a renewal, nothing known":                    {PaymentFailed, failedKey, Order{State: "COMPLETE"}, false},
		"a renewal, the order expired":                {PaymentFailed, failedKey, Order{State: "EXPIRED"}, false},
		"the bank asks":                               {ActionRequired, actionKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Unpaid: asks}}, true},
		"the bank asks, not past due yet":             {ActionRequired, actionKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Active, Renews: true, Unpaid: asks}}, true},
		"the bank asks no more":                       {ActionRequired, actionKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Unpaid: declined}}, false},
		"the bank asks, over":                         {ActionRequired, actionKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Ended, Unpaid: asks}}, false},
		"the bank asks, paid since":                   {ActionRequired, actionKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Active}}, false},
		"ending, canceled":                            {AccessEnding, endingKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Active, AccessUntil: soon}}, true},
		"ending, the cancellation taken back":         {AccessEnding, endingKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Active, Renews: true, AccessUntil: soon}}, false},
		"ending, past due":                            {AccessEnding, endingKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Renews: true, AccessUntil: soon, Unpaid: declined}}, true},
		"ending, ended":                               {AccessEnding, endingKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Ended, Renews: true, AccessUntil: soon}}, true},
		"ending, paused":                              {AccessEnding, endingKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Paused, AccessUntil: soon}}, true},
		"ending, over already":                        {AccessEnding, endingKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Ended, AccessUntil: past}}, false},
		"ending, no access":                           {AccessEnding, endingKey, Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: Unpaid}}, false},
		"ending, no subscription":                     {AccessEnding, endingKey, Order{State: "COMPLETE"}, false},
		"a kind that does not exist":                  {"GREETING", "order/1/greeting", Order{State: "COMPLETE"}, false},
		"a key that only begins like another invoice": {PaymentFailed, "subscription/sub_1/invoice/in_22/payment-failed", Order{State: "COMPLETE", Subscription: &sub{ID: "sub_1", Status: PastDue, Unpaid: declined}}, false},
	} {
		if got := (Message{Kind: c.kind, DedupeKey: c.key}).TrueOf(c.order, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAMessageWaitsForAPaymentThatIsBeingChecked(t *testing.T) {
	now := time.Date(2027, 11, 20, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ got, want bool }{
		"refused for one that is being checked": {Message{Kind: RepeatRefused, CreatedAt: now}.Waits(Order{State: "PENDING", Waits: true}, now), true},
		"refused for one that is long checked":  {Message{Kind: RepeatRefused, CreatedAt: now}.Waits(Order{State: "PENDING", Waits: true}, now.Add(patience)), false},
		"refused for one that is paid":          {Message{Kind: RepeatRefused, CreatedAt: now}.Waits(Order{State: "COMPLETE"}, now), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
	}
}
