package order

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestTimesArePromisedAsPeopleSayThem(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0: 30 * time.Second, 30 * time.Second: 30 * time.Second, 31 * time.Second: time.Minute, time.Minute: time.Minute,
		2*time.Minute + time.Nanosecond: 3 * time.Minute, 4 * time.Minute: 5 * time.Minute, 16 * time.Minute: 30 * time.Minute,
		90 * time.Minute: 2 * time.Hour, 5 * time.Hour: 12 * time.Hour, 13 * time.Hour: 24 * time.Hour, 100 * time.Hour: 24 * time.Hour,
	} {
		if got := Spoken(took); got != want {
			t.Errorf("%s is promised as %s, want %s", took, got, want)
		}
	}
}

func at(after time.Duration) *time.Time { t := noon.Add(after); return &t }

func TestAPromiseCountsFromThePaymentOrFromWhenItWasLearned(t *testing.T) {
	for name, c := range map[string]struct {
		charged time.Duration
		want    time.Duration
	}{
		"learned at once": {0, time.Minute}, "learned late": {-time.Hour, time.Minute}, "Stripe's clock is ahead": {5 * time.Second, 2 * time.Minute},
		"the minute has begun": {20 * time.Second, 2 * time.Minute}, // none names a second
	} {
		o := Order{Kind: Purchase, State: Charged, ChargedAt: at(c.charged)}
		o.Promise(noon, 45*time.Second)
		if got := o.PromiseBy.Sub(noon); got != c.want {
			t.Errorf("%s: in %s, want %s", name, got, c.want)
		}
	}
}

// A buyer whose answer was late has not been told a time for their access yet, nor has
// one who pays again with another card: neither may read that it was not kept.
func TestWhatWasMissedIsNoDelayOfWhatIsPromisedNext(t *testing.T) {
	o := Order{Kind: Purchase, State: Pending, PaymentStatus: Unknown, PromiseBy: at(0)}
	o.Word(noon, Patience{Recovery: time.Minute}, nil)
	if o.MissedCount != 1 || !o.MissedBy.Equal(noon) {
		t.Fatalf("%d missed, the last %v", o.MissedCount, o.MissedBy)
	}
	o.State, o.ChargedAt = Charged, at(time.Second)
	o.Promise(noon.Add(time.Second), time.Minute)
	if o.MissedCount != 0 || o.MissedBy != nil {
		t.Errorf("a first promise of access says that %d were not kept, the last %v", o.MissedCount, o.MissedBy)
	}
}

func TestWhoWaitsForUs(t *testing.T) {
	for name, c := range map[string]struct {
		order        Order
		awaits, paid bool
	}{
		"paid":                    {Order{State: Charged}, true, true},
		"adopted":                 {Order{State: Orphaned}, true, true},
		"money unknown":           {Order{State: Pending, PaymentStatus: Unknown}, true, false},
		"waits for their bank":    {Order{State: Pending, PaymentStatus: Processing}, false, false},
		"must act":                {Order{State: Pending, PaymentStatus: RequiresAction}, false, false},
		"declined":                {Order{State: Failed, PaymentStatus: RequiresPaymentMethod}, false, false},
		"has access":              {Order{State: Recovered}, false, false},
		"refunded":                {Order{State: Refunded}, false, false},
		"took the refund":         {Order{State: Charged, RefundAskedAt: at(0)}, false, false},
		"took the money by force": {Order{State: Charged, Dispute: DisputeLost}, false, false},
		"a renewal":               {Order{State: Charged, Kind: Renewal}, false, false},
	} {
		if c.order.Kind == "" {
			c.order.Kind = Purchase
		}
		if got := c.order.Awaits(); got != c.awaits {
			t.Errorf("%s: awaits %v", name, got)
		}
		if got := c.order.AwaitsAccess(); got != c.paid {
			t.Errorf("%s: awaits access %v", name, got)
		}
		c.order.Promise(noon, time.Minute)
		if (c.order.PromiseBy != nil) != c.awaits {
			t.Errorf("%s: promised %v", name, c.order.PromiseBy)
		}
	}
}

func TestWhatIsSaidWhen(t *testing.T) {
	patience := Patience{Recovery: time.Minute, NextLooks: 3 * time.Minute, StillWorkingAfter: 2 * time.Minute, OfferFor: 336 * time.Hour}
	token := func() string { return "a-token" }
	paid := Order{Kind: Purchase, State: Charged, AmountMinor: 24900, ChargedAt: at(0), PromiseBy: at(time.Minute)}
	told := paid
	told.StillWorkingAt, told.PromiseBy, told.MissedBy, told.MissedCount = at(2*time.Minute), at(4*time.Minute), at(time.Minute), 1
	with := func(o Order, change func(*Order)) Order { change(&o); return o }
	for name, c := range map[string]struct {
		order  Order
		now    time.Duration
		want   string
		by     time.Duration // of the promise after it; from noon
		missed int32
	}{
		"nothing yet":                       {paid, 59 * time.Second, "[]", time.Minute, 0},
		"the first promise is missed":       {paid, time.Minute, "[]", 4 * time.Minute, 1},
		"two minutes":                       {with(paid, func(o *Order) { o.PromiseBy = at(4 * time.Minute) }), 2 * time.Minute, "[STILL_WORKING]", 4 * time.Minute, 0},
		"two minutes, nobody looked before": {paid, 2 * time.Minute, "[STILL_WORKING]", 5 * time.Minute, 1},
		"told, and not missed":              {told, 4*time.Minute - 1, "[]", 4 * time.Minute, 1},
		"told, and missed":                  {told, 4 * time.Minute, "[REFUND_OFFER]", 7 * time.Minute, 2},
		"offered already":                   {with(told, func(o *Order) { o.RefundToken = "x" }), 4 * time.Minute, "[]", 7 * time.Minute, 2},
		"a subscription":                    {with(told, func(o *Order) { o.Renews = true }), 4 * time.Minute, "[]", 7 * time.Minute, 2},
		"disputed":                          {with(told, func(o *Order) { o.Dispute = DisputeOpen }), 4 * time.Minute, "[]", 7 * time.Minute, 2},
		"part of it went back":              {with(told, func(o *Order) { o.RefundedMinor = 1 }), 4 * time.Minute, "[]", 7 * time.Minute, 2},
		"written by an older version":       {with(paid, func(o *Order) { o.PromiseBy = nil }), 10 * time.Second, "[]", 2 * time.Minute, 0},
		"nothing was asked for":             {with(paid, func(o *Order) { o.AmountMinor = 0 }), 2 * time.Minute, "[]", 5 * time.Minute, 1},
		"money unknown, missed": {Order{Kind: Purchase, State: Pending, PaymentStatus: Unknown, PromiseBy: at(time.Minute)},
			time.Hour, "[]", time.Hour + 3*time.Minute, 1},
	} {
		o := c.order
		if got := fmt.Sprint(o.Word(noon.Add(c.now), patience, token)); got != c.want {
			t.Errorf("%s: said %s, want %s", name, got, c.want)
		}
		if o.PromiseBy == nil || !o.PromiseBy.Equal(noon.Add(c.by)) || o.MissedCount != c.missed {
			t.Errorf("%s: promised by %v, %d missed", name, o.PromiseBy, o.MissedCount)
		}
		if c.want == "[REFUND_OFFER]" && (o.RefundToken != "a-token" || !o.RefundOfferUntil.Equal(noon.Add(c.now+336*time.Hour))) {
			t.Errorf("%s: offered %q until %v", name, o.RefundToken, o.RefundOfferUntil)
		}
	}
	if done := (Order{Kind: Purchase, State: Recovered, ChargedAt: at(0)}); done.Word(noon.Add(time.Hour), patience, token) != nil {
		t.Error("somebody with access is told that they wait")
	}
}

func TestALookComesWhenSomethingMustBeSaid(t *testing.T) {
	const still = 2 * time.Minute
	paid := Order{Kind: Purchase, State: Charged, AmountMinor: 24900, ChargedAt: at(0), PromiseBy: at(10 * time.Minute)}
	told := paid
	told.StillWorkingAt = at(still)
	for name, c := range map[string]struct {
		order     Order
		now, next time.Duration
		want      time.Duration
	}{
		"before anything is due":   {paid, 0, time.Minute, time.Minute},
		"the mail is due before":   {paid, time.Minute, time.Hour, still},
		"the mail is overdue":      {paid, 3 * time.Minute, 4 * time.Minute, 4 * time.Minute},
		"the promise is due":       {told, 3 * time.Minute, time.Hour, 10 * time.Minute},
		"the promise is overdue":   {told, 11 * time.Minute, time.Hour, time.Hour},
		"nobody waits":             {Order{Kind: Purchase, State: Complete, PromiseBy: at(time.Minute)}, 0, time.Hour, time.Hour},
		"who waits for their bank": {Order{Kind: Purchase, State: Pending, PaymentStatus: Processing, PromiseBy: at(time.Minute)}, 0, time.Hour, time.Hour},
	} {
		if got := c.order.LookBy(noon.Add(c.now), noon.Add(c.next), still); got.Sub(noon) != c.want {
			t.Errorf("%s: looked at after %s, want %s", name, got.Sub(noon), c.want)
		}
	}
}

func TestWhoMayTakeTheRefund(t *testing.T) {
	offered := Order{State: Charged, RefundToken: "the-token", RefundOfferUntil: at(time.Hour)}
	with := func(change func(*Order)) Order { o := offered; change(&o); return o }
	for name, c := range map[string]struct {
		order Order
		token string
		now   time.Duration
		want  error
	}{
		"who was offered it":             {offered, "the-token", 0, nil},
		"access came meanwhile":          {with(func(o *Order) { o.State = Recovered }), "the-token", 0, nil},
		"another token":                  {offered, "the-toker", 0, ErrNotOffered},
		"no token":                       {offered, "", 0, ErrNotOffered},
		"nothing was offered":            {with(func(o *Order) { o.RefundToken = "" }), "", 0, ErrNotOffered},
		"too late":                       {offered, "the-token", time.Hour, ErrNotOffered},
		"asked before, and late":         {with(func(o *Order) { o.RefundAskedAt = at(0) }), "the-token", time.Hour, nil},
		"asked, and refunded":            {with(func(o *Order) { o.RefundAskedAt = at(0); o.State = Refunded }), "the-token", 0, nil},
		"asked by another, with a guess": {with(func(o *Order) { o.RefundAskedAt = at(0) }), "guess", 0, ErrNotOffered},
		"part of it went back since":     {with(func(o *Order) { o.RefundedMinor = 1 }), "the-token", 0, ErrCannotRefund},
		"refunded by somebody else":      {with(func(o *Order) { o.State = Refunded }), "the-token", 0, ErrCannotRefund},
		"disputed":                       {with(func(o *Order) { o.Dispute = DisputeOpen }), "the-token", 0, ErrCannotRefund},
		"lost":                           {with(func(o *Order) { o.Dispute = DisputeLost }), "the-token", 0, ErrCannotRefund},
		"won":                            {with(func(o *Order) { o.Dispute = DisputeWon }), "the-token", 0, nil},
	} {
		if got := c.order.MayTakeRefund(c.token, noon.Add(c.now)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		// The page asks exactly those who may still answer.
		if c.token == "the-token" {
			until := c.order.RefundOffer()
			asks := until != nil && noon.Add(c.now).Before(*until)
			if may := c.want == nil && c.order.RefundAskedAt == nil; asks != may {
				t.Errorf("%s: the page asks: %t, want %t", name, asks, may)
			}
		}
	}
}
