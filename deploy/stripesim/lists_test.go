package stripesim_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func TestChargesPageThroughTiesNewestFirst(t *testing.T) {
	var now atomic.Int64
	base := int64(1_760_000_000)
	now.Store(base)
	s := start(t, stripesim.Config{Clock: func() time.Time { return time.Unix(now.Load(), 0) }})
	var made []string
	for i := range 25 {
		now.Store(base + int64(i/10)) // ten in each second
		p := intent(int64(100+i), "")
		p.Confirm, p.PaymentMethod = stripe.Bool(true), stripe.String("pm_card_visa")
		made = append(made, must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(p)).LatestCharge.ID)
	}
	slices.Reverse(made)

	read := func(r *stripe.RangeQueryParams, limit int64) []string {
		p := &stripe.ChargeListParams{CreatedRange: r}
		p.Limit = stripe.Int64(limit)
		var got []string
		it := s.stripe.Charges.List(p)
		for it.Next() {
			got = append(got, it.Charge().ID)
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
		return got
	}
	for _, limit := range []int64{1, 3, 7, 100} {
		if got := read(nil, limit); !slices.Equal(got, made) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	for r, want := range map[*stripe.RangeQueryParams][]string{
		{GreaterThanOrEqual: base + 1}:                     made[:15],
		{GreaterThan: base + 1}:                            made[:5],
		{LesserThan: base + 1}:                             made[15:],
		{LesserThanOrEqual: base + 1, GreaterThan: base}:   made[5:15],
		{GreaterThanOrEqual: base + 3}:                     nil,
		{GreaterThanOrEqual: base + 2, LesserThan: base}:   nil,
		{GreaterThanOrEqual: base, LesserThan: base + 100}: made,
	} {
		if got := read(r, 4); !slices.Equal(got, want) {
			t.Errorf("%+v: %d charges, want %d", *r, len(got), len(want))
		}
	}

	back := &stripe.ChargeListParams{}
	back.Single, back.Limit, back.EndingBefore = true, stripe.Int64(3), stripe.String(made[10])
	it := s.stripe.Charges.List(back)
	var got []string
	for it.Next() {
		got = append(got, it.Charge().ID)
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(made[7:10]))
	if !slices.Equal(got, want) || !it.Meta().HasMore {
		t.Errorf("before: %v, want %v", got, want)
	}

	tooMany := &stripe.ChargeListParams{}
	tooMany.Limit = stripe.Int64(101)
	bad := s.stripe.Charges.List(tooMany)
	bad.Next()
	wantError(t, bad.Err(), 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeParameterInvalidInteger)
}

func TestCustomersByEmailAndIntentsByCustomer(t *testing.T) {
	s := start(t, stripesim.Config{})
	var ids []string
	for i, email := range []string{"jane@example.com", "Jane@example.com", "jane@example.com"} {
		cus := must[*stripe.Customer](t)(s.stripe.Customers.New(&stripe.CustomerParams{Email: stripe.String(email)}))
		ids = append(ids, cus.ID)
		for n := range i + 1 {
			must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(intent(int64(100+n), cus.ID)))
		}
	}
	find := func() (got []string) {
		it := s.stripe.Customers.List(&stripe.CustomerListParams{Email: stripe.String("jane@example.com")})
		for it.Next() {
			got = append(got, it.Customer().ID)
		}
		return got
	}
	if got, want := find(), []string{ids[2], ids[0]}; !slices.Equal(got, want) {
		t.Errorf("by email: %v, want %v", got, want)
	}
	p := &stripe.PaymentIntentListParams{Customer: stripe.String(ids[2])}
	p.AddExpand("data.customer")
	n := 0
	for it := s.stripe.PaymentIntents.List(p); it.Next(); n++ {
		if it.PaymentIntent().Customer.Email != "jane@example.com" {
			t.Error("customer not expanded")
		}
	}
	if n != 3 {
		t.Errorf("%d intents", n)
	}

	must[*stripe.Customer](t)(s.stripe.Customers.Del(ids[0], nil))
	if got := find(); !slices.Equal(got, ids[2:]) {
		t.Errorf("after deletion: %v", got)
	}
	if cus := must[*stripe.Customer](t)(s.stripe.Customers.Get(ids[0], nil)); !cus.Deleted {
		t.Error("not deleted")
	}
	up := &stripe.CustomerParams{Name: stripe.String("Jane")}
	up.AddMetadata("a", "1")
	must[*stripe.Customer](t)(s.stripe.Customers.Update(ids[2], up))
	up = &stripe.CustomerParams{}
	up.AddMetadata("a", "")
	up.AddMetadata("b", "2")
	cus := must[*stripe.Customer](t)(s.stripe.Customers.Update(ids[2], up))
	if fmt.Sprint(cus.Metadata) != "map[b:2]" || cus.Name != "Jane" {
		t.Errorf("%+v", cus)
	}
}

func TestEventsByType(t *testing.T) {
	s := start(t, stripesim.Config{})
	p := intent(100, "")
	p.Confirm, p.PaymentMethod = stripe.Bool(true), stripe.String("pm_card_visa")
	p.SetIdempotencyKey("order-1")
	must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.New(p))
	count := func(p *stripe.EventListParams) (n int) {
		for it := s.stripe.Events.List(p); it.Next(); n++ {
			ev := it.Event()
			if ev.APIVersion != stripe.APIVersion || ev.Request.IdempotencyKey != "order-1" || ev.Request.ID == "" {
				t.Errorf("%+v", ev)
			}
			if got := must[*stripe.Event](t)(s.stripe.Events.Get(ev.ID, nil)); got.Type != ev.Type {
				t.Errorf("%+v", got)
			}
		}
		return n
	}
	for want, p := range map[int]*stripe.EventListParams{
		3: {},
		1: {Type: stripe.String("charge.succeeded")},
		2: {Type: stripe.String("payment_intent.*")},
		0: {Types: stripe.StringSlice([]string{"charge.failed", "charge.refunded"})},
	} {
		if got := count(p); got != want {
			t.Errorf("%d events, want %d", got, want)
		}
	}
}
