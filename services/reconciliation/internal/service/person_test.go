package service

import (
	"testing"

	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/personal"
)

// An interrupted erasure goes on under its pseudonym, and under another once its person
// has bought again: where they were erased already, theirs is taken.
func TestAPseudonymIsOfAllOrders(t *testing.T) {
	of := func(orders ...string) string {
		return pseudonym(person{known: &personalv1.Person{Names: []*personalv1.Names{
			{Of: personal.Accounts, Ids: []string{"a"}}, {Of: personal.Events, Ids: []string{"e"}}, {Of: personal.Orders, Ids: orders},
		}}})
	}
	first, again, more := of("1"), of("1"), of("1", "2")
	if first != again || first == more {
		t.Errorf("%s, %s, %s", first, again, more)
	}
}
