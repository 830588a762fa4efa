package console

import (
	"net/http"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// chargingBody is the kill switch.
type chargingBody struct {
	Now    *ordersv1.GetChargingResponse
	Unread *trouble
}

func (c *console) charging(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	now, err := c.orders.GetCharging(ctx, &ordersv1.GetChargingRequest{})
	c.show(w, r, v, "charging", page{Title: "Charging", Nav: "charging", Body: chargingBody{now, troubleOf("Orders", err)}})
}

// more lists the pages that the narrow navigation has no room for.
func (c *console) more(w http.ResponseWriter, r *http.Request, v *visit) {
	c.show(w, r, v, "more", page{Title: "More", Nav: "more"})
}
