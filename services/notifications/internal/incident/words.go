package incident

import (
	"fmt"
	"time"
)

// Link is a place to follow and what is behind it.
type Link struct{ Label, URL string }

// Line is one line of what is said: text, with a place to follow or without.
type Line struct {
	Text string
	Link Link
	// Item: it is one of several.
	Item bool
}

// Headline is what is said first, in one line.
func (i Incident) Headline(act Act) string {
	title := OneLine(i.Words.Title)
	switch {
	case i.Tier == Digest:
		return title
	case act == Close || i.ResolvedAt != nil:
		return "Over: " + title
	case i.Tier == PageNow:
		return "Now: " + title
	default:
		return "Today: " + title
	}
}

// Lines are what is said beneath the headline. admin is where the console is.
func (i Incident) Lines(act Act, admin string, now time.Time) (lines []Line) {
	say := func(format string, a ...any) { lines = append(lines, Line{Text: fmt.Sprintf(format, a...)}) }
	page := Link{Label: "the console", URL: admin + "/incidents/" + i.Key}
	if i.Tier == Digest {
		if i.Words.Meaning != "" {
			say("%s", i.Words.Meaning)
		}
		return i.items(lines, admin)
	}
	if i.ResolvedAt != nil {
		say("It began on %s and was over on %s. There is nothing to do.", Spoken(i.OpenedAt), Spoken(*i.ResolvedAt))
		return append(lines, Line{Text: "What happened:", Link: page})
	}
	if act == Again && i.NewsWhy != "" {
		say("You are told again because %s.", i.NewsWhy)
	}
	if i.Words.Meaning != "" {
		say("%s", i.Words.Meaning)
	}
	if i.Count > int64(len(i.Words.Items)) && len(i.Words.Items) > 0 {
		say("%d in all, since %s. The most pressing:", i.Count, Spoken(i.OpenedAt))
	} else {
		say("Since %s.", Spoken(i.OpenedAt))
	}
	lines = i.items(lines, admin)
	if i.Words.NextStep != "" {
		say("What to do: %s", i.Words.NextStep)
	}
	if i.AcknowledgedBy != "" {
		say("%s looks after it since %s.", i.AcknowledgedBy, Spoken(*i.AcknowledgedAt))
	}
	if i.SnoozedUntil != nil && i.SnoozedUntil.After(now) {
		say("It is snoozed until %s.", Spoken(*i.SnoozedUntil))
	}
	lines = append(lines, Line{Text: "Acknowledge or snooze it:", Link: page})
	if i.Tier == PageNow {
		say("This is told at any hour. You hear of it again when it becomes worse or is over.")
	} else {
		say("This is for today; it is not told in quiet hours. You hear of it again when it becomes worse or is over.")
	}
	return lines
}

func (i Incident) items(lines []Line, admin string) []Line {
	for _, item := range i.Words.Items {
		line := Line{Text: item.Text, Item: true}
		if item.Path != "" {
			line.Link = Link{Label: "open", URL: admin + item.Path}
		}
		lines = append(lines, line)
	}
	return lines
}

// PlainLines are lines for a mail: what can be followed is written out.
func PlainLines(lines []Line) (plain []string) {
	for n, l := range lines {
		if n > 0 && !(l.Item && lines[n-1].Item) {
			plain = append(plain, "")
		}
		text := l.Text
		if l.Item {
			text = "- " + text
		}
		if text != "" {
			plain = append(plain, text)
		}
		if l.Link.URL != "" {
			indent := ""
			if l.Item {
				indent = "  "
			}
			plain = append(plain, indent+l.Link.URL)
		}
	}
	return plain
}
