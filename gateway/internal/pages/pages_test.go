package pages

import (
	"context"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

var situations = []situation{
	unreachable, noReference, notFound, checking, checkingLate, held, buyerMustAct, payElsewhere, settingUp, settingUpLate,
	extending, extendingLate, ready, readyLate, renewed, accessEnded, declined, nothingCharged, refunding, refundFailed, refunded,
}

func TestEverySituationHasWordsThatPromiseNothing(t *testing.T) {
	arrived := []situation{settingUp, settingUpLate, extending, extendingLate, ready, readyLate, renewed, accessEnded}
	sorry := []situation{checkingLate, settingUpLate, extendingLate, readyLate}
	for _, s := range situations {
		w := text.Situations[s]
		if w.Title == "" || w.Lead == "" || w.Next == "" {
			t.Errorf("%s has not all its words", s)
		}
		said := strings.ToLower(w.Title + w.Lead + w.Next + w.Promise + w.PromiseOpen)
		for _, not := range []string{"safe", "notified", "hour", "minute", "shortly", "soon,", "guarantee", "oops", "went wrong", "unfortunately"} {
			if strings.Contains(said, not) {
				t.Errorf("%s says %q", s, not)
			}
		}
		if says := strings.Contains(said, "payment arrived"); says != slices.Contains(arrived, s) {
			t.Errorf("%s says that the payment arrived: %v", s, says)
		}
		if says := strings.Contains(said, "sorry"); says != slices.Contains(sorry, s) {
			t.Errorf("%s apologises: %v", s, says)
		}
		if _, isLate := late[s]; isLate && w.Promise == "" {
			t.Errorf("%s cannot name the time that its lateness is about", s)
		}
		if isLate := strings.HasSuffix(string(s), "_late") && s != readyLate; isLate != (w.Missed != "") {
			t.Errorf("%s names the time that was missed: %v", s, !isLate)
		}
	}
	for _, s := range arrived {
		if _, known := text.NothingToPay[s]; !known {
			t.Errorf("%s says that a payment arrived also where there was nothing to pay", s)
		}
	}
	for s, w := range text.NothingToPay {
		if said := strings.ToLower(w.Title + w.Lead + w.Next); strings.Contains(said, "arrived") || strings.Contains(said, "your payment") || strings.Contains(said, "pay again") {
			t.Errorf("%s, free: %s", s, said)
		}
	}
	if len(text.Situations) != len(situations) {
		t.Errorf("%d entries", len(text.Situations))
	}
	if strings.Contains(string(english), "!") {
		t.Error("calm people do not exclaim")
	}
}

// A translation is a copy of the one file, with nothing left out and nothing
// that the pages do not know.
func TestTheCatalogueIsCompleteAndItsNamesAreKnown(t *testing.T) {
	var file map[string]any
	if err := json.Unmarshal(english, &file); err != nil {
		t.Fatal(err)
	}
	optional := []string{"promise", "promise_open", "missed"}
	var walk func(path string, v reflect.Value, name string)
	walk = func(path string, v reflect.Value, name string) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				tag := v.Type().Field(i).Tag.Get("json")
				walk(path+"."+tag, v.Field(i), tag)
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(path+"."+key.String(), v.MapIndex(key), key.String())
			}
		case reflect.String:
			if v.String() == "" && !slices.Contains(optional, name) {
				t.Errorf("%s is missing", path)
			}
			for _, m := range named.FindAllStringSubmatch(v.String(), -1) {
				if !slices.Contains([]string{"by", "missed", "email", "days", "asked", "amount", "day", "month", "year", "hour", "minute", "clock", "app", "mail", "short", "reference", "time"}, m[1]) {
					t.Errorf("%s names %s", path, m[0])
				}
			}
		}
	}
	walk("", reflect.ValueOf(*text), "")
}

func TestAPromisedMinuteIsNotBeforeTheMoment(t *testing.T) {
	now := time.Date(2026, 11, 21, 11, 30, 0, 0, time.UTC)
	for at, want := range map[string]string{
		"2026-11-21T12:00:00Z":           `<time datetime="2026-11-21T12:00:00Z" data-form="clock">12:00 UTC</time>`,
		"2026-11-21T12:00:00.000000001Z": `<time datetime="2026-11-21T12:01:00Z" data-form="clock">12:01 UTC</time>`,
		"2026-11-21T12:00:59+00:00":      `<time datetime="2026-11-21T12:01:00Z" data-form="clock">12:01 UTC</time>`,
		"2026-11-21T23:59:30Z":           `<time datetime="2026-11-22T00:00:00Z" data-form="clock">22 November, 00:00 UTC</time>`,
		"2026-11-22T13:07:00+02:00":      `<time datetime="2026-11-22T11:07:00Z" data-form="clock">22 November, 11:07 UTC</time>`,
	} {
		moment, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := clock(moment, now); got != template.HTML(want) {
			t.Errorf("%s: by %s, want %s", at, got, want)
		}
	}
}

func TestWhatComesFromOutsideIsEscaped(t *testing.T) {
	got := fill("a < {email} {unknown}", values{"email": escaped("<b>")})
	if got != "a &lt; &lt;b&gt; {unknown}" {
		t.Error(got)
	}
}

type brokenOrders struct{ Orders }

func (brokenOrders) GetOrder(context.Context, *ordersv1.GetOrderRequest, ...grpc.CallOption) (*ordersv1.Order, error) {
	panic("no")
}

func TestThePageSurvivesAPanic(t *testing.T) {
	page := NewStatus(Config{AppName: "Acme", HomeURL: "/", SupportEmail: "support@example.com", Now: time.Now, Log: slog.New(slog.DiscardHandler)}, brokenOrders{})
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/payment-issue?ref=5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f1111", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), text.Situations[unreachable].Lead) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
