package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	"makegood.example/services/platform/money"
)

// page is what every page is drawn from.
type page struct {
	Title string
	// Nav is the entry of the navigation that the page belongs to.
	Nav string
	// Told is what has just happened, said to screen readers too.
	Told string
	Body any

	// The rest is filled in when it is drawn.
	Visit   *visit
	AppName string
	Now     time.Time
	Assets  map[string]string
	Here    string
}

//go:embed templates/*.html
var templateFiles embed.FS

// templates has one set for each page: the frame and the shared parts, and the
// page's own "main".
var templates = func() map[string]*template.Template {
	shared := template.Must(template.New("frame").Funcs(functions(time.Time{})).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html"))
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err)
	}
	sets := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "frame" || name == "parts" {
			continue
		}
		sets[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, file))
	}
	return sets
}()

// render draws one named part of a page. The functions that know the time know this
// request's.
func (c *console) render(name, part string, p page) []byte {
	set := template.Must(templates[name].Clone()).Funcs(functions(p.Now))
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, part, p); err != nil {
		panic(fmt.Errorf("draw %s: %w", name, err))
	}
	return out.Bytes()
}

// draw renders to memory first, so that a page is whole or not sent.
func (c *console) draw(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	out := c.render(name, "frame", c.dressed(r, p))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out)
}

func (c *console) dressed(r *http.Request, p page) page {
	p.AppName, p.Now, p.Assets, p.Here = c.AppName, c.Now().UTC(), assetPaths, r.URL.RequestURI()
	return p
}

// show draws a page for somebody who is signed in.
func (c *console) show(w http.ResponseWriter, r *http.Request, v *visit, name string, p page) {
	p.Visit = v
	c.draw(w, r, http.StatusOK, name, p)
}

// showAs is show with another status.
func (c *console) showAs(w http.ResponseWriter, r *http.Request, v *visit, status int, name string, p page) {
	p.Visit = v
	c.draw(w, r, status, name, p)
}

// functions are what the templates may say of things.
func functions(now time.Time) template.FuncMap {
	return template.FuncMap{
		"ago":  func(t *timestamppb.Timestamp) template.HTML { return timeTag(t, agoWords(t, now)) },
		"age":  func(t *timestamppb.Timestamp) string { return ageWords(t, now) },
		"when": func(t *timestamppb.Timestamp) template.HTML { return timeTag(t, whenWords(t, now)) },
		"both": func(t *timestamppb.Timestamp) template.HTML {
			return timeTag(t, whenWords(t, now)) + template.HTML(" ("+agoWords(t, now)+")")
		},
		"ahead":    func(t *timestamppb.Timestamp) bool { return t != nil && t.AsTime().After(now) },
		"money":    amount,
		"ms":       millis,
		"plural":   plural,
		"short":    shortID,
		"human":    human,
		"kind":     caseWords,
		"hook":     hookState,
		"link":     subjectLink,
		"path":     subjectPath,
		"key":      newKey,
		"outcome":  outcomeWords,
		"len64":    func(items []*notificationsv1.IncidentItem) int64 { return int64(len(items)) },
		"sentence": sentence,
		"lastPart": func(s string) string { return path.Base(s) },
		"join":     strings.Join,
		"lower":    strings.ToLower,
		"query":    url.QueryEscape,
		"add":      func(a, b int) int { return a + b },
		"places":   func() []place { return places },
	}
}

// timeTag says a time in words; the script, where it runs, adds the reader's own
// zone to it.
func timeTag(t *timestamppb.Timestamp, words string) template.HTML {
	if t == nil {
		return template.HTML(`<span class="none">never</span>`)
	}
	at := t.AsTime().UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, at.Format(time.RFC3339), at.Format("2 January 2006 15:04:05 UTC"), words))
}

func whenWords(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return "never"
	}
	at := t.AsTime().UTC()
	switch {
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format("15:04 UTC")
	case at.Year() == now.Year():
		return at.Format("2 Jan 15:04 UTC")
	default:
		return at.Format("2 Jan 2006 15:04 UTC")
	}
}

func agoWords(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return "never"
	}
	if d := now.Sub(t.AsTime()); d < 0 {
		return "in " + inWords(-d)
	} else if d < 5*time.Second {
		return "just now"
	}
	return ageWords(t, now) + " ago"
}

func ageWords(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return ""
	}
	return inWords(now.Sub(t.AsTime()))
}

// inWords is a duration as people say it, rounded down.
func inWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(max(1, int(d.Seconds()))) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 24*time.Hour:
		if m := int(d.Minutes()) % 60; m > 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
		}
		return strconv.Itoa(int(d.Hours())) + " h"
	case d < 48*time.Hour:
		return "1 day"
	default:
		return strconv.Itoa(int(d.Hours()/24)) + " days"
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds()) + 1) }

// amount is money for people; what went away has its sign before it.
func amount(minor int64, currency string) string {
	if minor < 0 {
		return "−" + money.Display(-minor, currency)
	}
	return money.Display(minor, currency)
}

// millis is a duration in milliseconds as people say it.
func millis(ms int64) string {
	switch {
	case ms < 1000:
		return strconv.FormatInt(ms, 10) + " ms"
	case ms < 60_000:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
	default:
		return inWords(time.Duration(ms) * time.Millisecond)
	}
}

func plural(n any, one, many string) string {
	text := fmt.Sprint(n)
	if text == "1" {
		return "1 " + one
	}
	return text + " " + many
}

// shortID is the beginning of an order's id. It must not look like a reference,
// which is another number, in capitals.
func shortID(id string) string {
	if isUUID(id) {
		return id[:8] + "…"
	}
	return id
}

// human is a name of the contract in words: FAILED_EVENT is Failed event.
func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func human(name any) string {
	text := strings.ToLower(strings.ReplaceAll(fmt.Sprint(name), "_", " "))
	if text == "" {
		return ""
	}
	return upperFirst(text)
}

// outcomeWords are the sign and the word of a step's outcome.
func outcomeWords(outcome string) [2]string {
	switch outcome {
	case "DONE":
		return [2]string{"good", "done"}
	case "FAILED":
		return [2]string{"bad", "did not happen"}
	case "WOULD_DO":
		return [2]string{"wait", "would be done"}
	default:
		return [2]string{"none", "not needed"}
	}
}

func escape(s string) string { return url.QueryEscape(s) }

func addQuery(where, key, value string) string {
	mark := "?"
	if strings.Contains(where, "?") {
		mark = "&"
	}
	return where + mark + key + "=" + escape(value)
}
