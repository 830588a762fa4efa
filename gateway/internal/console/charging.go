package console

import (
	"net/http"
	"strings"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// chargingBody is the kill switch.
type chargingBody struct {
	Now     *ordersv1.GetChargingResponse
	Unread  *trouble
	Trouble *trouble
	Key     string
}

func (c *console) showCharging(w http.ResponseWriter, r *http.Request, v *visit) {
	told := map[string]string{"paused": "New charges are paused.", "resumed": "New charges go on."}[r.URL.Query().Get("did")]
	c.drawCharging(w, r, v, told, nil)
}

func (c *console) drawCharging(w http.ResponseWriter, r *http.Request, v *visit, told string, wrong *trouble) {
	ctx, cancel := v.asking(r)
	defer cancel()
	now, err := c.orders.GetCharging(ctx, &ordersv1.GetChargingRequest{})
	status := http.StatusOK
	if wrong != nil {
		status = wrong.Status
	}
	c.showAs(w, r, v, status, "charging", page{Title: "Charging", Nav: "charging", Told: told, Body: chargingBody{Now: now, Unread: troubleOf("Orders", err), Trouble: wrong, Key: newKey()}})
}

func (c *console) turnCharging(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.acting(r)
	defer cancel()
	paused := r.PostFormValue("paused") == "yes"
	_, err := c.support.SetCharging(ctx, &reconciliationv1.SetChargingRequest{Paused: paused, Reason: strings.TrimSpace(r.PostFormValue("reason"))})
	if err != nil {
		c.drawCharging(w, r, v, "", troubleOf("Reconciliation", err))
		return
	}
	did := "resumed"
	if paused {
		did = "paused"
	}
	http.Redirect(w, r, "/charging?did="+did, http.StatusSeeOther)
}

// more lists the pages that the narrow navigation has no room for.
func (c *console) more(w http.ResponseWriter, r *http.Request, v *visit) {
	c.show(w, r, v, "more", page{Title: "More", Nav: "more"})
}
