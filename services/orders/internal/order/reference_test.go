package order

import "testing"

func TestAReferenceIsFoundByItsBeginning(t *testing.T) {
	for digits, want := range map[string][2]string{
		"A1B2C3D4":                             {"a1b2c3d4-0000-0000-0000-000000000000", "a1b2c3d4-ffff-ffff-ffff-ffffffffffff"},
		"a1b2c3d4-e":                           {"a1b2c3d4-e000-0000-0000-000000000000", "a1b2c3d4-efff-ffff-ffff-ffffffffffff"},
		"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d": {"a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d", "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"},
	} {
		first, last, ok := ReferencesBeginning(digits)
		if !ok || first.String() != want[0] || last.String() != want[1] {
			t.Errorf("%s: %s to %s, %t", digits, first, last, ok)
		}
	}
	for _, digits := range []string{"", "a1b2c3d", "a1b2-c3d", "g1b2c3d4", "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d0"} {
		if _, _, ok := ReferencesBeginning(digits); ok {
			t.Errorf("%q is taken for a reference", digits)
		}
	}
}
