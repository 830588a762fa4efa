package console

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// incidentsBody is what the team was told of.
type incidentsBody struct {
	Incidents []*notificationsv1.Incident
	All       bool
	Next      string
	Trouble   *trouble
}

func (c *console) listIncidents(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	b := incidentsBody{All: r.URL.Query().Get("show") == "all"}
	list, err := c.notifications.ListIncidents(ctx, &notificationsv1.ListIncidentsRequest{IncludeResolved: b.All, PageToken: r.URL.Query().Get("page")})
	b.Incidents, b.Next, b.Trouble = list.GetIncidents(), list.GetNextPageToken(), troubleOf("Notifications", err)
	c.show(w, r, v, "incidents", page{Title: "Incidents", Nav: "incidents", Body: b})
}

// incidentBody is the latest incident of a key, as the link in a message leads to
// it, and how often there was one before.
type incidentBody struct {
	Incident *notificationsv1.Incident
	Earlier  []*notificationsv1.Incident
	Snoozes  []snooze
	// Key names the wish of this page's forms.
	Key     string
	Trouble *trouble
}

func (c *console) showIncident(w http.ResponseWriter, r *http.Request, v *visit) {
	told := map[string]string{
		"acknowledge": "It is yours: nobody is told again until there is something new.", "snooze": "It keeps quiet until then, or until there is something new.",
	}[r.URL.Query().Get("did")]
	c.drawIncident(w, r, v, told, nil)
}

func (c *console) drawIncident(w http.ResponseWriter, r *http.Request, v *visit, told string, wrong *trouble) {
	ctx, cancel := v.asking(r)
	defer cancel()
	list, err := c.notifications.ListIncidents(ctx, &notificationsv1.ListIncidentsRequest{Key: r.PathValue("key"), IncludeResolved: true, PageSize: 20})
	if len(list.GetIncidents()) == 0 {
		if t := troubleOf("Notifications", err); t != nil {
			wrong = t
		} else {
			wrong = &trouble{Text: "There was never an incident of this name.", Reason: "INCIDENT_NOT_FOUND", Status: http.StatusNotFound}
		}
		c.inTrouble(w, r, v, "incidents", "Incident", wrong)
		return
	}
	status, key := http.StatusOK, newKey()
	if wrong != nil {
		status = wrong.Status
		if wrong.Open {
			key = r.PostFormValue("key") // asked again it is the same wish
		}
	}
	all := list.GetIncidents()
	c.showAs(w, r, v, status, "incident", page{Title: "Incident", Nav: "incidents", Told: told, Body: incidentBody{all[0], all[1:], c.snoozes(), key, wrong}})
}

func (c *console) workIncident(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.acting(r)
	defer cancel()
	key, verb, reason := r.PathValue("key"), r.PathValue("verb"), strings.TrimSpace(r.PostFormValue("reason"))
	act := &reconciliationv1.Act{IdempotencyKey: r.PostFormValue("key"), Reason: reason}
	var err error
	switch verb {
	case "acknowledge":
		act.Reason = cmp.Or(reason, "from the incident")
		_, err = c.support.AcknowledgeIncident(ctx, &reconciliationv1.AcknowledgeIncidentRequest{Key: key, Note: reason, Act: act})
	case "snooze":
		ask := &reconciliationv1.SnoozeIncidentRequest{Key: key, Reason: reason, Act: act}
		if ask.Until, err = until(r); err == nil {
			_, err = c.support.SnoozeIncident(ctx, ask)
		}
	default:
		c.nowhere(w, r, v)
		return
	}
	if err != nil {
		c.drawIncident(w, r, v, "", actedTrouble("Reconciliation", err))
		return
	}
	http.Redirect(w, r, "/incidents/"+url.PathEscape(key)+"?did="+verb, http.StatusSeeOther)
}
