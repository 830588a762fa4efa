package docs

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/url"
	"regexp"
	"strings"
)

// curl is an example as a line for a shell. Address may be a variable of the
// shell's, so it stands in double quotes with the path.
func (op operation) curl(address, method, path, name string, token bool) string {
	var query []string
	var headers []string
	for _, p := range op.Parameters {
		e, ok := p.Examples[name]
		if !ok {
			continue
		}
		value := text(e.Value)
		switch p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		case "query":
			query = append(query, p.Name+"="+url.QueryEscape(value))
		case "header":
			headers = append(headers, p.Name+": "+value)
		}
	}
	if query != nil {
		path += "?" + strings.Join(query, "&")
	}
	line := `curl -sS "` + address + path + `"`
	if token {
		line += " \\\n" + `  -H "Authorization: Bearer $TOKEN"`
	}
	for _, h := range headers {
		line += " \\\n  -H " + quoted(h)
	}
	if op.Body != nil {
		for contentType, is := range op.Body.Content {
			line += " \\\n  -H " + quoted("Content-Type: "+contentType) + " \\\n  -d " + quoted(indented(is.Examples[name].Value, "  "))
		}
	} else if method != "GET" {
		line = strings.Replace(line, "-sS", "-sS -X "+method, 1)
	}
	return line
}

// quoted is a word of the shell's.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

func text(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return string(value) // a number
	}
	return s
}

// indented is JSON as people read it, in the order in which it was written. What is
// short stays on its line; the others stand under one that is indented.
func indented(value json.RawMessage, under string) string {
	var out bytes.Buffer
	if err := json.Compact(&out, value); err != nil || out.Len() < 40 {
		return out.String()
	}
	out.Reset()
	_ = json.Indent(&out, value, under, "  ")
	return out.String()
}

// prose is text for people: what stands in backquotes, and names in capitals, are
// code.
func prose(said string) template.HTML {
	return template.HTML(inCode.ReplaceAllStringFunc(template.HTMLEscapeString(said), func(word string) string {
		return "<code>" + strings.Trim(word, "`") + "</code>"
	}))
}

var inCode = regexp.MustCompile("`[^`]+`|" + `\b[A-Z][A-Z]+(?:_[A-Z]+)+\b|\b[a-z]+(?:_[a-z]+)+\b`)

// colour marks the names in JSON.
func colour(said string) template.HTML {
	return template.HTML(jsonName.ReplaceAllString(template.HTMLEscapeString(said), `$1<b>$2</b>:`))
}

var jsonName = regexp.MustCompile(`(?m)^(\s*)(&#34;[^&\n]+&#34;):`)
