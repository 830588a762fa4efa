package browsertest_test

import (
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"makegood.example/services/platform/browsertest"
)

const page = `<!doctype html><meta name="viewport" content="width=device-width"><title>Test</title>
<style>@media (prefers-color-scheme: dark) { body { background: #000 } }</style>
<h1>Heading</h1><input id="field" value="before"><div id="host"></div><noscript><p id="plain">without</p></noscript>
<script>
const root = document.getElementById("host").attachShadow({mode: "open"});
root.innerHTML = '<button disabled>Press</button><output></output>';
const button = root.querySelector("button");
setTimeout(() => { button.disabled = false; }, 30);
button.onclick = () => { root.querySelector("output").textContent += document.getElementById("field").value + "."; };
sessionStorage.kept = "here"; localStorage.kept = "both";
fetch("/gone"); console.error("a fault", 7); setTimeout(() => { throw new Error("thrown"); }, 0);
</script>`

func TestPage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, page)
	}))
	defer server.Close()
	b := browsertest.Start(t)

	p := b.Open(browsertest.View{})
	p.Go(server.URL)
	p.Type("#field", "after")
	p.DoubleClick("button")
	p.AwaitText("output", "after.after.")
	for _, want := range []string{"/gone: 404", "console error: a fault", "exception: Uncaught Error: thrown"} {
		if !slices.ContainsFunc(p.Problems(), func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%q is not among %q", want, p.Problems())
		}
	}
	tab := p.Tab()
	tab.Go(server.URL)
	tab.Await("localStorage.kept === 'both'")

	dark := b.Open(browsertest.View{Phone: true, Dark: true})
	dark.Go(server.URL)
	var seen string
	dark.Eval("[innerWidth, getComputedStyle(document.body).backgroundColor].join(' ')", &seen)
	if seen != "390 rgb(0, 0, 0)" {
		t.Errorf("a dark phone shows %q", seen)
	}
	f, err := os.Open(dark.Picture("sub/dark"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() != 390 {
		t.Errorf("the picture: %v, %v", img.Bounds(), err)
	}

	plain := b.Open(browsertest.View{NoScripts: true})
	plain.Go(server.URL)
	if got := plain.Text("#plain"); got != "without" {
		t.Errorf("without scripts: %q", got)
	}
}
