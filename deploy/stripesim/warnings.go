package stripesim

import (
	"net/http"
	"slices"
)

// EarlyFraudWarning is Stripe's early fraud warning: the card's bank suspects a
// charge that nobody has disputed yet.
type EarlyFraudWarning struct {
	Header
	Actionable    bool       `json:"actionable"`
	Charge        string     `json:"charge"`
	FraudType     string     `json:"fraud_type"`
	Livemode      bool       `json:"livemode"`
	PaymentIntent NullString `json:"payment_intent"`
}

var fraudTypes = []string{"card_never_received", "fraudulent_card_application", "made_with_counterfeit_card", "made_with_lost_card",
	"made_with_stolen_card", "misc", "unauthorized_use_of_card"}

func retrieveWarning(c *call) (any, *Error) {
	return retrieve(c, c.w.warnings, "early fraud warning", "early_fraud_warning")
}

func listWarnings(c *call) (any, *Error) {
	return listBy(c, c.w.warnings, []filter[*EarlyFraudWarning]{
		{"charge", func(w *EarlyFraudWarning) string { return w.Charge }, c.params.text("charge")},
		{"payment_intent", func(w *EarlyFraudWarning) string { return string(w.PaymentIntent) }, c.params.text("payment_intent")},
	}, nil)
}

func (s *Server) controlWarning(w http.ResponseWriter, r *http.Request) {
	in := struct {
		FraudType string `json:"fraud_type"`
	}{"misc"}
	if r.ContentLength != 0 && !read(w, r, &in) {
		return
	}
	if !slices.Contains(fraudTypes, in.FraudType) {
		refuse(w, http.StatusBadRequest, "unknown fraud_type")
		return
	}
	s.change(w, func() (*tx, object, string) {
		t, ch := s.findCharge(r.PathValue("id"))
		if ch == nil {
			return nil, nil, ""
		}
		warning := &EarlyFraudWarning{Header: t.header("issfr_", "radar.early_fraud_warning", 24), Actionable: !ch.Disputed && !ch.Refunded,
			Charge: ch.ID, FraudType: in.FraudType, Livemode: t.w.live, PaymentIntent: ch.PaymentIntent}
		save(t, t.w.warnings, warning)
		t.emit("radar.early_fraud_warning.created", warning, nil)
		return t, warning, ""
	})
}
