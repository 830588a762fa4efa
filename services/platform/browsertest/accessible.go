package browsertest

import _ "embed"

//go:embed accessible.js
var accessible string

// Inaccessible answers what a machine can see that WCAG 2.2 AA asks of a page and
// this one lacks, one line each.
func (p *Page) Inaccessible() []string {
	p.t.Helper()
	var wrong []string
	p.Eval(accessible, &wrong)
	return wrong
}
