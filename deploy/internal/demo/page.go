package demo

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// readable is the text of a page, a line for each thing that a reader sees.
func readable(page string) (string, error) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return "", err
	}
	var lines []string
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		block := []atom.Atom{atom.H1, atom.P, atom.Blockquote}
		switch {
		case n.DataAtom == atom.Head:
		case n.DataAtom == atom.Div && n.FirstChild != nil && n.FirstChild.DataAtom == atom.Dt, slices.Contains(block, n.DataAtom):
			lines = append(lines, textOf(n))
		default:
			for child := range n.ChildNodes() {
				walk(child)
			}
		}
	}
	walk(root)
	return strings.Join(lines, "\n"), nil
}

func textOf(n *html.Node) string {
	var words []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			words = append(words, strings.Fields(d.Data)...)
		}
	}
	return strings.Join(words, " ")
}
