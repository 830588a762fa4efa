package orders_test

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// lose makes the database one from before the order, and answers with the
// adoption by which Payments brings it back.
func (s *scene) lose(o *ordersv1.Order) *ordersv1.AdoptChargeRequest {
	s.t.Helper()
	for _, table := range []string{"history", "submissions"} {
		s.exec("DELETE FROM orders."+table+" WHERE order_id = $1", o.GetId())
	}
	s.exec("DELETE FROM orders.orders WHERE id = $1", o.GetId())
	return &ordersv1.AdoptChargeRequest{
		Reference: o.GetReference(), PlanId: o.GetPlanId(), Email: "Jane@example.com", Name: "Jane Doe", Payment: s.arrived(o, "ch"),
	}
}

func (s *scene) adopt(r *ordersv1.AdoptChargeRequest) (*ordersv1.Order, error) {
	reply, err := s.admin("payments").AdoptCharge(s.t.Context(), r)
	return reply.GetOrder(), err
}

func TestALostOrderIsMadeAgainFromItsCharge(t *testing.T) {
	s := newScene(t)
	before := s.mustPlace(purchase{}, complete)
	r := s.lose(before)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := s.adopt(r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	after := s.awaitState(before, recovered) // under its old reference: the buyer's page works again
	if after.GetId() != before.GetId() || after.GetAmountMinor() != before.GetAmountMinor() || after.GetRecoveredBy() != "webhook" {
		t.Errorf("made again as %v", after)
	}
	s.wantHistory(after, ">ORPHANED webhook system", "ORPHANED>RECOVERED webhook system")
	s.wantCases()
}

// What was lost with its access ends when it did; of what is not known to have had
// any, the term begins when it is given.
func TestALostOrderGetsTheRestOfTheAccessItHad(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "not known": false} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			before := s.mustPlace(purchase{}, complete)
			r := s.lose(before)
			s.peers.provisioning.set(func(f *fakeProvisioning) { f.grants, f.given, f.lost = nil, nil, true })
			until := before.GetAccessUntil().AsTime()
			s.clock.Advance(40 * 24 * time.Hour)
			if known {
				r.AccessUntil = before.GetAccessUntil()
			} else {
				until = s.clock.Now().AddDate(1, 0, 0)
			}
			after, err := s.adopt(r)
			if err != nil || after.GetState() != recovered || !after.GetAccessUntil().AsTime().Equal(until) {
				t.Fatalf("%v, %v, access until %s, want %s", after.GetState(), err, after.GetAccessUntil().AsTime(), until)
			}
			s.peers.provisioning.set(func(f *fakeProvisioning) {
				g := f.grants[before.GetId()]
				if g.GetAgain() != known || known && !g.GetPeriodStart().AsTime().Equal(until.AddDate(-1, 0, 0)) {
					t.Errorf("Provisioning was asked for %v", g)
				}
			})
		})
	}
}

func TestACompleteOrderIsNotAdoptedAgain(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	r := &ordersv1.AdoptChargeRequest{Reference: o.GetReference(), PlanId: "annual", Email: "jane@example.com", Payment: s.arrived(o, "ch")}
	if got, err := s.adopt(r); err != nil || got.GetState() != complete {
		t.Errorf("%v %v", got.GetState(), err)
	}
	s.wantCases()
}

func TestNothingIsGuessedAboutACharge(t *testing.T) {
	for name, change := range map[string]func(*ordersv1.AdoptChargeRequest){
		"no buyer":         func(r *ordersv1.AdoptChargeRequest) { r.Email = "" },
		"an unknown plan":  func(r *ordersv1.AdoptChargeRequest) { r.PlanId = "gold" },
		"another order id": func(r *ordersv1.AdoptChargeRequest) { r.Payment.OrderId = "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			o := s.mustPlace(purchase{}, complete)
			r := proto.CloneOf(s.lose(o))
			change(r)
			_, err := s.adopt(r)
			wantError(t, "adopting", err, codes.InvalidArgument, "CANNOT_ADOPT")
			if n := s.count("SELECT count(*) FROM orders.orders"); n != 0 {
				t.Errorf("%d orders", n)
			}
			s.wantCases("UNIDENTIFIED_CHARGE charge/ch_" + o.GetId())
		})
	}
}

func TestAnAdoptedOrderIsFinishedByItsLook(t *testing.T) {
	s := newScene(t, looksOn)
	o := s.mustPlace(purchase{}, complete)
	r := s.lose(o)
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = away })
	if got, err := s.adopt(r); err != nil || got.GetState() != ordersv1.Order_ORPHANED {
		t.Fatalf("%v %v", got.GetState(), err)
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) { f.err = nil })
	s.clock.Advance(30 * time.Second)
	s.awaitState(o, recovered)
}
