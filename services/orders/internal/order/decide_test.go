package order_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	chargeWithin = 5 * time.Minute
	expiresAfter = 24 * time.Hour
)

func TestNextStep(t *testing.T) {
	type facts struct {
		state     order.State
		status    order.PaymentStatus
		submitted time.Duration // ago
		created   time.Duration // ago
		paused    bool
		paidLater bool
	}
	const (
		moment  = time.Second
		window  = chargeWithin
		tooLate = chargeWithin + time.Nanosecond
	)
	for name, c := range map[string]struct {
		facts facts
		want  order.Step
	}{
		"just placed":                            {facts{order.Pending, order.Unknown, moment, moment, false, false}, order.Charge},
		"the last moment of the window":          {facts{order.Pending, order.Unknown, window, window, false, false}, order.Charge},
		"the buyer has left":                     {facts{order.Pending, order.Unknown, tooLate, tooLate, false, false}, order.Cancel},
		"an old order, its buyer here again":     {facts{order.Pending, order.Unknown, moment, 48 * time.Hour, false, false}, order.Charge},
		"paused":                                 {facts{order.Pending, order.Unknown, moment, moment, true, false}, order.Look},
		"paused, and the buyer has left":         {facts{order.Pending, order.Unknown, tooLate, tooLate, true, false}, order.Cancel},
		"bought the same since":                  {facts{order.Pending, order.Unknown, moment, moment, false, true}, order.Cancel},
		"bought the same since, while paused":    {facts{order.Pending, order.Unknown, moment, moment, true, true}, order.Cancel},
		"the bank decides":                       {facts{order.Pending, order.Processing, moment, moment, false, false}, order.Look},
		"the bank decides for a week":            {facts{order.Pending, order.Processing, 168 * time.Hour, 168 * time.Hour, false, false}, order.Look},
		"the bank decides, bought the same":      {facts{order.Pending, order.Processing, moment, moment, false, true}, order.Look},
		"3-D Secure":                             {facts{order.Pending, order.RequiresAction, moment, moment, false, false}, order.Look},
		"3-D Secure, window over":                {facts{order.Pending, order.RequiresAction, tooLate, tooLate, false, false}, order.Look},
		"3-D Secure, just before it expires":     {facts{order.Pending, order.RequiresAction, time.Hour, expiresAfter - 1, false, false}, order.Look},
		"3-D Secure, abandoned":                  {facts{order.Pending, order.RequiresAction, expiresAfter, expiresAfter, false, false}, order.Cancel},
		"3-D Secure on an old order":             {facts{order.Pending, order.RequiresAction, moment, 48 * time.Hour, false, false}, order.Look},
		"3-D Secure, bought the same since":      {facts{order.Pending, order.RequiresAction, moment, moment, false, true}, order.Cancel},
		"3-D Secure while paused":                {facts{order.Pending, order.RequiresAction, moment, moment, true, false}, order.Look},
		"the browser confirms":                   {facts{order.Pending, order.RequiresPaymentMethod, moment, moment, false, false}, order.Look},
		"the browser never confirmed":            {facts{order.Pending, order.RequiresPaymentMethod, expiresAfter, expiresAfter, false, false}, order.Cancel},
		"declined":                               {facts{order.Failed, order.RequiresPaymentMethod, moment, moment, false, false}, order.Look},
		"declined long ago, bought the same":     {facts{order.Failed, order.RequiresPaymentMethod, 48 * time.Hour, 48 * time.Hour, false, true}, order.Look},
		"expired":                                {facts{order.Expired, order.PaymentCanceled, 48 * time.Hour, 48 * time.Hour, false, false}, order.Look},
		"expired, and its buyer is still around": {facts{order.Expired, order.Unknown, moment, moment, false, false}, order.Look},
	} {
		t.Run(name, func(t *testing.T) {
			o := order.Order{
				State: c.facts.state, PaymentStatus: c.facts.status,
				SubmittedAt: noon.Add(-c.facts.submitted), CreatedAt: noon.Add(-c.facts.created),
			}
			got := o.NextStep(order.Circumstances{
				Now: noon, ChargeWithin: chargeWithin, ExpiresAfter: expiresAfter, Paused: c.facts.paused, PaidSince: c.facts.paidLater,
			})
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestNextStepNeverChargesWronglyWhateverTheFacts walks every combination:
// what must hold for money to move, and for an order to be given up.
func TestNextStepNeverChargesWronglyWhateverTheFacts(t *testing.T) {
	statuses := []order.PaymentStatus{order.Unknown, order.RequiresPaymentMethod, order.RequiresAction, order.Processing, order.Succeeded, order.PaymentCanceled}
	ages := []time.Duration{0, time.Minute, chargeWithin, chargeWithin + 1, time.Hour, expiresAfter, 720 * time.Hour}
	charges := 0
	for _, state := range order.States {
		for _, status := range statuses {
			for _, submitted := range ages {
				for _, created := range ages {
					for flags := range 4 {
						paused, paidLater := flags&1 != 0, flags&2 != 0
						o := order.Order{State: state, PaymentStatus: status, SubmittedAt: noon.Add(-submitted), CreatedAt: noon.Add(-created)}
						step := o.NextStep(order.Circumstances{Now: noon, ChargeWithin: chargeWithin, ExpiresAfter: expiresAfter, Paused: paused, PaidSince: paidLater})
						at := func(why string) {
							t.Errorf("%s %s, submitted %s ago, created %s ago, paused %t, paid later %t: %s %s", state, status, submitted, created, paused, paidLater, step, why)
						}
						if step == order.Charge {
							charges++
							switch {
							case state != order.Pending:
								at("an order that is not pending")
							case paused:
								at("although charges are paused")
							case paidLater:
								at("although the same was bought since")
							case submitted > chargeWithin:
								at("a buyer who has left")
							case o.Waits():
								at("although the buyer or the bank must act")
							}
						}
						if step == order.Cancel && (state != order.Pending || status == order.Processing) {
							at("what must not be given up")
						}
					}
				}
			}
		}
	}
	if charges == 0 {
		t.Error("nothing was ever charged")
	}
}

func TestWhatWaits(t *testing.T) {
	for _, c := range []struct {
		state  order.State
		status order.PaymentStatus
		buyer  bool
		waits  bool
	}{
		{order.Pending, order.Unknown, false, false},
		{order.Pending, order.RequiresAction, true, true},
		{order.Pending, order.RequiresPaymentMethod, true, true},
		{order.Pending, order.Processing, false, true},
		{order.Failed, order.RequiresPaymentMethod, false, false},
		{order.Charged, order.Succeeded, false, false},
		{order.Expired, order.Processing, false, false},
	} {
		o := order.Order{State: c.state, PaymentStatus: c.status}
		if o.WaitsForBuyer() != c.buyer || o.Waits() != c.waits {
			t.Errorf("%s %s: waits for buyer %t, waits %t", c.state, c.status, o.WaitsForBuyer(), o.Waits())
		}
	}
}

func TestWhatMoneyMeans(t *testing.T) {
	decline := order.PaymentError{Code: "insufficient_funds", Message: "Your card has insufficient funds."}
	for _, c := range []struct {
		money order.Money
		event order.Event
		news  bool
	}{
		{order.Money{Status: order.Succeeded}, order.Paid, true},
		{order.Money{Status: order.PaymentCanceled}, order.Canceled, true},
		{order.Money{Status: order.RequiresPaymentMethod, Decline: decline}, order.Declined, true},
		// Not confirmed yet is not declined.
		{order.Money{Status: order.RequiresPaymentMethod}, order.Declined, false},
		// Unknown never decays to failed.
		{order.Money{Status: order.Unknown}, "", false},
		{order.Money{Status: order.Unknown, Decline: decline}, "", false},
		{order.Money{Status: order.RequiresAction}, "", false},
		{order.Money{Status: order.Processing}, "", false},
		{order.Money{}, "", false},
	} {
		event, news := c.money.Event()
		if news != c.news || news && event != c.event {
			t.Errorf("%+v: %q %t, want %q %t", c.money, event, news, c.event, c.news)
		}
	}
}

func TestOldNewsAboutAnEarlierCard(t *testing.T) {
	now, before := uuid.New(), uuid.New()
	o := order.Order{AttemptID: now}
	for _, c := range []struct {
		status  order.PaymentStatus
		attempt uuid.UUID
		want    bool
	}{
		{order.RequiresPaymentMethod, now, true},
		{order.RequiresPaymentMethod, before, false},
		{order.PaymentCanceled, before, false},
		{order.Processing, before, false},
		{order.RequiresPaymentMethod, uuid.Nil, true},
		{order.Succeeded, before, true}, // money is money
		{order.Succeeded, now, true},
	} {
		if got := (order.Money{Status: c.status, AttemptID: c.attempt}).Concerns(o); got != c.want {
			t.Errorf("%s about %s: concerns %t", c.status, c.attempt, got)
		}
	}
}

func TestMoneyMatchesByAmountAndCurrency(t *testing.T) {
	o := order.Order{AmountMinor: 24900, Currency: "USD"}
	for _, c := range []struct {
		money order.Money
		want  bool
	}{
		{order.Money{AmountMinor: 24900, Currency: "USD"}, true},
		{order.Money{AmountMinor: 24901, Currency: "USD"}, false},
		{order.Money{AmountMinor: 249, Currency: "USD"}, false},
		{order.Money{AmountMinor: 24900, Currency: "EUR"}, false},
		{order.Money{AmountMinor: 24900}, false},
	} {
		if got := c.money.Matches(o); got != c.want {
			t.Errorf("%+v: %t", c.money, got)
		}
	}
}

func TestAnApologyOnlyForADelay(t *testing.T) {
	charged := noon
	for _, c := range []struct {
		state order.State
		after time.Duration
		want  order.Event
	}{
		{order.Charged, 0, order.Fulfilled},
		{order.Charged, 10 * time.Second, order.Fulfilled},
		{order.Charged, 10*time.Second + 1, order.FulfilledLate},
		{order.Charged, -2 * time.Second, order.Fulfilled}, // Stripe's clock is ahead
		{order.Orphaned, 0, order.FulfilledLate},
	} {
		o := order.Order{State: c.state, ChargedAt: &charged}
		if got := o.FulfilledAt(noon.Add(c.after), 10*time.Second); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.state, c.after, got, c.want)
		}
	}
}

func TestRecoveredByNamesWhoButTheBuyer(t *testing.T) {
	for why, want := range map[order.Why]string{
		order.ByRequest: "", order.ByRescue: "rescue", order.ByWebhook: "webhook", order.ByReconciliation: "reconciliation",
		order.BySupport("sam"): "support:sam",
	} {
		if got := why.RecoveredBy(); got != want {
			t.Errorf("%v: %q, want %q", why, got, want)
		}
	}
}

// TestIdsAreStable pins the ids that are derived from a reference: a database
// restored from before a purchase must derive the same again, with any binary.
func TestIdsAreStable(t *testing.T) {
	reference := uuid.MustParse("0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11")
	id := order.IDFor(reference)
	if got, want := id.String(), "0f8d0542-fef6-5325-8f3d-6c36a3e0e455"; got != want {
		t.Errorf("order id %s, want %s", got, want)
	}
	if got, want := order.FirstAttempt(id).String(), "009bc7c0-d072-5578-8bde-2ce817d8b8dc"; got != want {
		t.Errorf("attempt id %s, want %s", got, want)
	}
	if id == reference || order.IDFor(uuid.New()) == id || order.FirstAttempt(id) == id {
		t.Error("ids that must differ are equal")
	}
	if got := (order.Order{Reference: reference}).ReferenceShort(); got != "0D4A2A3E" {
		t.Errorf("short reference %s", got)
	}
}
