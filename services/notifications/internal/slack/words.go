package slack

import (
	"strings"
	"time"

	"makegood.example/services/notifications/internal/incident"
)

// sectionMax is the most that Slack takes in one section, with some air.
const sectionMax = 2900

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// message is an incident as it stands.
func message(i incident.Incident, act incident.Act, admin string, now time.Time) outgoing {
	head := i.Headline(act)
	m := outgoing{Text: escape.Replace(head), Blocks: []block{section("*" + escape.Replace(head) + "*")}}
	for _, l := range i.Lines(act, admin, now) {
		text := escape.Replace(l.Text)
		if l.Item {
			text = "• " + text
		}
		if l.Link.URL != "" {
			text += " <" + escape.Replace(l.Link.URL) + "|" + escape.Replace(l.Link.Label) + ">"
		}
		if text != "" {
			m.Blocks = append(m.Blocks, section(text))
		}
	}
	return m
}

// reply is what is new of an incident, in its thread.
func reply(root place, i incident.Incident, act incident.Act, mark *metadata) outgoing {
	text := escape.Replace(i.Headline(act))
	if act == incident.Again {
		text += ": " + escape.Replace(i.NewsWhy) + "."
	}
	// News must be heard by whoever does not follow the thread; an end need not.
	return outgoing{Channel: root.channel, ThreadTS: root.ts, Broadcast: act == incident.Again, Text: text, Metadata: mark}
}

func section(text string) block {
	if r := []rune(text); len(r) > sectionMax {
		text = string(r[:sectionMax]) + "…"
	}
	return block{Type: "section", Text: markdown{Type: "mrkdwn", Text: text}}
}
