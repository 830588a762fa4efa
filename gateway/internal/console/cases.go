package console

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
)

// snooze is until when something may be put away.
type snooze struct{ Until, Text string }

// snoozes are the times as a person thinks of them. The form carries the moment: a
// form that is sent twice must wish the same twice.
func (c *console) snoozes() (list []snooze) {
	now := c.Now().UTC().Truncate(time.Second)
	for _, s := range []struct {
		text string
		d    time.Duration
	}{{"1 hour", time.Hour}, {"4 hours", 4 * time.Hour}, {"12 hours", 12 * time.Hour}, {"1 day", 24 * time.Hour}, {"3 days", 72 * time.Hour}, {"1 week", 168 * time.Hour}} {
		until := timestamppb.New(now.Add(s.d))
		list = append(list, snooze{until.AsTime().Format(time.RFC3339), s.text + ", until " + whenWords(until, now)})
	}
	return list
}

// until reads the moment that a form carries.
func until(r *http.Request) (*timestamppb.Timestamp, error) {
	at, err := time.Parse(time.RFC3339, r.PostFormValue("until"))
	if err != nil {
		return nil, apperr.Invalid("until", "is no time")
	}
	return timestamppb.New(at), nil
}

// caseBody is one case: everything needed to go on with it cold.
type caseBody struct {
	Case    *reconciliationv1.Case
	Mine    bool
	Snoozes []snooze
	Key     string
	Trouble *trouble
}

func (c *console) showCase(w http.ResponseWriter, r *http.Request, v *visit) {
	told := map[string]string{
		"claim": "The case is yours.", "acknowledge": "You have said that you saw it; it stays in the queue.", "hand-over": "The case is handed over.", "snooze": "The case is out of the queue until then.", "resolve": "The case is closed.",
	}[r.URL.Query().Get("did")]
	c.drawCase(w, r, v, told, nil)
}

// drawCase draws the case, with what went wrong when something was tried.
func (c *console) drawCase(w http.ResponseWriter, r *http.Request, v *visit, told string, wrong *trouble) {
	ctx, cancel := v.asking(r)
	defer cancel()
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		c.nowhere(w, r, v)
		return
	}
	one, err := c.recon.GetCase(ctx, &reconciliationv1.GetCaseRequest{CaseId: id})
	if err != nil {
		if wrong == nil {
			wrong = troubleOf("Reconciliation", err)
		}
		c.inTrouble(w, r, v, "queue", "Case "+strconv.FormatInt(id, 10), wrong)
		return
	}
	status, key := http.StatusOK, newKey()
	if wrong != nil {
		status = wrong.Status
		if wrong.Open {
			key = r.PostFormValue("key") // asked again it is the same wish
		}
	}
	c.showAs(w, r, v, status, "case", page{
		Title: "Case " + strconv.FormatInt(id, 10), Nav: "queue", Told: told,
		Body: caseBody{Case: one, Mine: v.Actor != "" && one.GetClaimedBy() == v.Actor, Snoozes: c.snoozes(), Key: key, Trouble: wrong},
	})
}

// workCase does one thing with a case and shows it as it is then.
func (c *console) workCase(w http.ResponseWriter, r *http.Request, v *visit) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		c.nowhere(w, r, v)
		return
	}
	ctx, cancel := v.acting(r)
	defer cancel()
	verb, reason := r.PathValue("verb"), strings.TrimSpace(r.PostFormValue("reason"))
	act := &reconciliationv1.Act{IdempotencyKey: r.PostFormValue("key"), Reason: cmp.Or(reason, "from the queue")}
	switch verb {
	case "claim":
		_, err = c.support.ClaimCase(ctx, &reconciliationv1.ClaimCaseRequest{CaseId: id, TakeOver: r.PostFormValue("take_over") == "yes", Note: reason, Act: act})
	case "acknowledge":
		_, err = c.support.AcknowledgeCase(ctx, &reconciliationv1.AcknowledgeCaseRequest{CaseId: id, Note: reason, Act: act})
	case "hand-over":
		_, err = c.support.ClaimCase(ctx, &reconciliationv1.ClaimCaseRequest{CaseId: id, Actor: strings.TrimSpace(r.PostFormValue("to")), Note: reason, Act: act})
	case "snooze":
		var at *timestamppb.Timestamp
		if at, err = until(r); err == nil {
			_, err = c.support.SnoozeCase(ctx, &reconciliationv1.SnoozeCaseRequest{CaseId: id, Until: at, Reason: reason, Act: act})
		}
	case "resolve":
		// Without a number of what was seen, any is closed: a page that is older has none.
		version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
		_, err = c.support.ResolveCase(ctx, &reconciliationv1.ResolveCaseRequest{CaseId: id, Resolution: reason, Version: version, Act: act})
	default:
		c.nowhere(w, r, v)
		return
	}
	if err != nil {
		c.drawCase(w, r, v, "", actedTrouble("Reconciliation", err))
		return
	}
	http.Redirect(w, r, "/cases/"+strconv.FormatInt(id, 10)+"?did="+verb, http.StatusSeeOther)
}
