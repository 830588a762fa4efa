package pages

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

func TestEverySituationHasWordsThatPromiseNothing(t *testing.T) {
	for s := unreachable; s <= refunded; s++ {
		w, ok := catalogue[s]
		if !ok || w.Title == "" || w.Lead == "" || w.Next == "" {
			t.Errorf("situation %d has not all its words", s)
		}
		text := strings.ToLower(w.Title + w.Lead + w.Next)
		for _, not := range []string{"safe", "notified", "hour", "minute", "shortly", "soon,", "guarantee", "sorry"} {
			if strings.Contains(text, not) {
				t.Errorf("situation %d says %q", s, not)
			}
		}
		if says := strings.Contains(text, "payment arrived"); says != slices.Contains([]situation{settingUp, extending, ready, renewed, accessEnded}, s) {
			t.Errorf("situation %d says that the payment arrived: %v", s, says)
		}
	}
	if len(catalogue) != int(refunded)+1 {
		t.Errorf("%d entries", len(catalogue))
	}
}

func TestAPromisedMinuteIsNotBeforeTheMoment(t *testing.T) {
	for at, want := range map[string]string{
		"2026-11-21T12:00:00Z": "12:00 UTC", "2026-11-21T12:00:00.000000001Z": "12:01 UTC",
		"2026-11-21T12:00:59Z": "12:01 UTC", "2026-11-21T23:59:30Z": "00:00 UTC",
	} {
		moment, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := clock(moment); got != want {
			t.Errorf("%s: by %s, want %s", at, got, want)
		}
	}
}

type brokenOrders struct{}

func (brokenOrders) GetOrder(context.Context, *ordersv1.GetOrderRequest, ...grpc.CallOption) (*ordersv1.Order, error) {
	panic("no")
}

func TestThePageSurvivesAPanic(t *testing.T) {
	page := NewStatus(Config{AppName: "Acme", HomeURL: "/", SupportEmail: "support@example.com", Now: time.Now, Log: slog.New(slog.DiscardHandler)}, brokenOrders{})
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/payment-issue?ref=5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f1111", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), catalogue[unreachable].Lead) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
