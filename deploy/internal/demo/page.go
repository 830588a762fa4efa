package demo

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// readable is the text of a page, a line for each thing that a reader sees who
// has no scripts.
func readable(page string) (string, error) {
	root, err := html.ParseWithOptions(strings.NewReader(page), html.ParseOptionEnableScripting(false))
	if err != nil {
		return "", err
	}
	var lines []string
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch n.DataAtom {
		case atom.Head, atom.Script, atom.Template:
		case atom.H1, atom.H2, atom.P, atom.Blockquote, atom.Li:
			if line := textOf(n); line != "" {
				lines = append(lines, line)
			}
		default:
			for child := range n.ChildNodes() {
				walk(child)
			}
		}
	}
	walk(root)
	return strings.Join(lines, "\n"), nil
}

// textOf joins the words in an element, without what is hidden.
func textOf(n *html.Node) string {
	var words []string
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "hidden" }) {
			return
		}
		if n.Type == html.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
		for child := range n.ChildNodes() {
			walk(child)
		}
	}
	walk(n)
	return strings.Join(words, " ")
}
