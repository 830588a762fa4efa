package gateway_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"makegood.example/services/platform/browsertest"
)

// Every situation, as people see it: small, large, light and dark, and on
// paper; and what WCAG 2.2 AA asks that a machine can see.
func TestEverySituationCanBeReadAndUsed(t *testing.T) {
	// Some 160 pictures are only taken where somebody will look at them.
	pictures := os.Getenv("MAKEGOOD_PICTURES") != ""
	for _, look := range []struct {
		name string
		view browsertest.View
		// A picture shows something that the other views do not.
		onlyPictures bool
	}{
		{"phone-light", browsertest.View{Phone: true}, false},
		{"phone-dark", browsertest.View{Phone: true, Dark: true}, true},
		{"desktop-light", browsertest.View{}, true},
		{"desktop-dark", browsertest.View{Dark: true, ReducedMotion: true}, false},
		{"zoom", browsertest.View{Width: 320, Height: 256}, false}, // a window of 1280 × 1024 at 400 %
		{"print", browsertest.View{Width: 800, Print: true}, false},
	} {
		if look.onlyPictures && !pictures {
			continue
		}
		t.Run(look.name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			gw := startAt(t, nil, func() time.Time { return now })
			all := everySituation(now)
			gw.showAll(all)
			page := browsertest.Start(t).Open(look.view)
			for i, s := range all {
				page.Go(gw.url + s.path(i))
				if s.post {
					page.Eval("document.forms[0].requestSubmit()", nil)
					page.Await("location.search === '' && document.readyState === 'complete'")
				}
				if pictures {
					page.Picture(look.name + "/" + s.name)
				}
				for _, p := range page.Inaccessible() {
					t.Errorf("%s: %s", s.name, p)
				}
			}
			for _, p := range page.Problems() {
				// What the situations are answered with is no fault of the page.
				if !strings.Contains(p, "/payment-issue: 403") && !strings.Contains(p, "/payment-issue: 409") && !strings.Contains(p, "/payment-issue: 503") &&
					!strings.Contains(p, "/events: 404") && !strings.Contains(p, "ERR_ABORTED") {
					t.Error(p)
				}
			}
		})
	}
}
