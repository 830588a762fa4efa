package orders_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// find asks as Reconciliation does; an alias has a star before its id.
func (s *scene) find(req *ordersv1.FindOrdersRequest) (ids []string) {
	s.t.Helper()
	answer, err := s.admin("reconciliation").FindOrders(s.t.Context(), req)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range answer.GetOrders() {
		id := o.GetOrder().GetOrder().GetId()
		if o.GetAlias() {
			id = "*" + id
		}
		ids = append(ids, id)
	}
	return ids
}

func byEmail(email string) *ordersv1.FindOrdersRequest {
	return &ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_Email{Email: email}}
}

func byReference(prefix string) *ordersv1.FindOrdersRequest {
	return &ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_ReferencePrefix{ReferencePrefix: prefix}}
}

func TestOrdersAreFoundByWhateverACustomerCanGive(t *testing.T) {
	s := newScene(t)
	buy := func(email string) *ordersv1.Order {
		t.Helper()
		s.clock.Advance(time.Second)
		return s.mustPlace(purchase{email: email, repeat: true}, complete)
	}
	first, tagged, other := buy("Jane@Example.com"), buy("jane+app@example.com"), buy("joe@example.com")
	second := buy("jane@example.com")
	s.exec(`UPDATE orders.orders SET customer_id = 'cus_joe', account_id = 'acct_joe' WHERE id = $1`, other.GetId())
	s.exec(`UPDATE orders.orders SET customer_id = 'cus_jane' WHERE id <> $1`, other.GetId())
	described := s.describe(other)
	whole := other.GetReference()
	for name, c := range map[string]struct {
		req  *ordersv1.FindOrdersRequest
		want []string
	}{
		"address":            {byEmail(" jane@EXAMPLE.com "), []string{second.GetId(), first.GetId(), "*" + tagged.GetId()}},
		"tagged address":     {byEmail("JANE+APP@example.com"), []string{tagged.GetId(), "*" + second.GetId(), "*" + first.GetId()}},
		"unused tag":         {byEmail("joe+new@example.com"), []string{"*" + other.GetId()}},
		"part of an address": {byEmail("oe@example.com"), nil},
		"short reference":    {byReference(other.GetReferenceShort()), []string{other.GetId()}},
		"whole reference":    {byReference(strings.ToUpper(whole)), []string{other.GetId()}},
		"without dashes":     {byReference(strings.ReplaceAll(whole, "-", "")), []string{other.GetId()}},
		"another reference":  {byReference(uuid.NewString()), nil},
		"order":              {&ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_OrderId{OrderId: other.GetId()}}, []string{other.GetId()}},
		"no order":           {&ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_OrderId{OrderId: uuid.NewString()}}, nil},
		"intent":             {&ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_PaymentIntentId{PaymentIntentId: described.GetPaymentIntentId()}}, []string{other.GetId()}},
		"charge":             {&ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_ChargeId{ChargeId: described.GetChargeId()}}, []string{other.GetId()}},
		"customer":           {&ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_CustomerId{CustomerId: "cus_jane"}}, []string{second.GetId(), tagged.GetId(), first.GetId()}},
		"account":            {&ordersv1.FindOrdersRequest{By: &ordersv1.FindOrdersRequest_AccountId{AccountId: "acct_joe"}}, []string{other.GetId()}},
	} {
		if got := s.find(c.req); !slices.Equal(got, c.want) {
			t.Errorf("by %s: %v, want %v", name, got, c.want)
		}
	}
	answer, err := s.admin("reconciliation").FindOrders(t.Context(), byEmail("joe@example.com"))
	if err != nil || answer.GetCut() || len(answer.GetOrders()) != 1 || answer.GetOrders()[0].GetOrder().String() != s.describe(other).String() {
		t.Errorf("%v: %v, want all of %v", err, answer, s.describe(other))
	}
}

// Eight characters are not unique, and what is found is bounded.
func TestOneShortReferenceMayBeOfManyOrders(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	copies := func(n int) {
		t.Helper()
		s.exec(`INSERT INTO orders.orders (id, reference, kind, state, plan_id, plan_name, term_months, amount_minor, currency, email, email_key, name,
				account_id, checkout, allow_repeat, created_at, attempt_id, submitted_at, last_progress_at)
			SELECT gen_random_uuid(), ('a1b2c3d4-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, kind, 'EXPIRED', plan_id, plan_name, term_months, amount_minor,
				currency, email, email_key, name, account_id, checkout, allow_repeat, created_at + n * interval '1 second', gen_random_uuid(), submitted_at, last_progress_at
			FROM orders.orders, generate_series(1, $2::int) AS n WHERE id = $1 ON CONFLICT (reference) DO NOTHING`, o.GetId(), n)
	}
	copies(2)
	if got := s.find(byReference("A1B2C3D4")); len(got) != 2 {
		t.Errorf("%v", got)
	}
	copies(51)
	answer, err := s.admin("reconciliation").FindOrders(t.Context(), byReference("A1B2C3D4"))
	if err != nil || len(answer.GetOrders()) != 50 || !answer.GetCut() {
		t.Errorf("%v: %d orders, cut %t", err, len(answer.GetOrders()), answer.GetCut())
	}
	_, err = s.admin("reconciliation").FindOrders(t.Context(), byReference("-------a1b2c3d4"))
	if err != nil {
		t.Errorf("dashes: %v", err)
	}
	_, err = s.admin("reconciliation").FindOrders(t.Context(), byReference("--------"))
	wantError(t, "no digits", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = s.admin("payments").FindOrders(t.Context(), byReference("A1B2C3D4"))
	wantError(t, "another caller", err, codes.PermissionDenied, "PERMISSION_DENIED")
}
