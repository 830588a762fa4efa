package store

import (
	"slices"
	"testing"
	"time"

	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/personal"
	"makegood.example/services/platform/pgtest"
)

// Whatever a case is about by one of a person's ids, it stands against erasing them.
func TestACaseAboutAPersonStandsAgainstErasingThem(t *testing.T) {
	db := pgtest.New(t)
	order := "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11"
	subjects := []string{
		"order/" + order, "message/order/" + order + "/confirmation", "charge/ch_1", "invoice/in_1", "subscription/sub_1",
		"message/subscription/sub_1/invoice/in_1/unpaid", "event/evt_1", "account/acc_1",
	}
	other := []string{"order/1d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11", "invoice/in_12", "message/subscription/sub_12/invoice/in_1/unpaid"}
	for _, subject := range slices.Concat(subjects, other) {
		if _, err := db.Owner(t).Exec(t.Context(), `INSERT INTO reconciliation.cases (kind, subject, state, summary, opened_at, reported_count, last_reported_at)
			VALUES ('STUCK_ORDER', $1, 'OPEN', 'x', now(), 1, now())`, subject); err != nil {
			t.Fatal(err)
		}
	}
	s := &personal.Server{Keeper: Person, Pool: db.Pool(t, "reconciliation"), Now: time.Now}
	answer, err := s.ErasePerson(t.Context(), &personalv1.ErasePersonRequest{DryRun: true, Pseudonym: "erased-" + order + "@erased.invalid", Person: &personalv1.Person{
		Email: "jane@example.com", Names: []*personalv1.Names{
			{Of: personal.Orders, Ids: []string{order}}, {Of: personal.Objects, Ids: []string{"ch_1", "in_1", "sub_1"}},
			{Of: personal.Events, Ids: []string{"evt_1"}}, {Of: personal.Accounts, Ids: []string{"acc_1"}},
		},
	}})
	if err != nil || len(answer.GetOpen()) != len(subjects) {
		t.Errorf("of %d cases %q stand against it, %v", len(subjects), answer.GetOpen(), err)
	}
}
