package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// snoozes are for how long a case may be put away, as a person thinks of it.
var snoozes = []struct {
	Value string
	Text  string
	For   time.Duration
}{
	{"1h", "1 hour", time.Hour}, {"4h", "4 hours", 4 * time.Hour}, {"12h", "12 hours", 12 * time.Hour},
	{"24h", "1 day", 24 * time.Hour}, {"72h", "3 days", 72 * time.Hour}, {"168h", "1 week", 168 * time.Hour},
}

// caseBody is one case: everything needed to go on with it cold.
type caseBody struct {
	Case    *reconciliationv1.Case
	Mine    bool
	Snoozes any
	Key     string
	Trouble *trouble
}

func (c *console) showCase(w http.ResponseWriter, r *http.Request, v *visit) {
	told := map[string]string{
		"claim": "The case is yours.", "hand-over": "The case is handed over.", "snooze": "The case is out of the queue until then.", "resolve": "The case is closed.",
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
	status := http.StatusOK
	if wrong != nil {
		status = wrong.Status
	}
	c.showAs(w, r, v, status, "case", page{
		Title: "Case " + strconv.FormatInt(id, 10), Nav: "queue", Told: told,
		Body: caseBody{Case: one, Mine: v.Actor != "" && one.GetClaimedBy() == v.Actor, Snoozes: snoozes, Key: newKey(), Trouble: wrong},
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
	switch verb {
	case "claim":
		_, err = c.support.ClaimCase(ctx, &reconciliationv1.ClaimCaseRequest{CaseId: id, TakeOver: r.PostFormValue("take_over") == "yes", Note: reason})
	case "hand-over":
		_, err = c.support.ClaimCase(ctx, &reconciliationv1.ClaimCaseRequest{CaseId: id, Actor: strings.TrimSpace(r.PostFormValue("to")), Note: reason})
	case "snooze":
		for _, s := range snoozes {
			if s.Value == r.PostFormValue("for") {
				_, err = c.support.SnoozeCase(ctx, &reconciliationv1.SnoozeCaseRequest{CaseId: id, Until: timestamppb.New(c.Now().Add(s.For)), Reason: reason})
			}
		}
	case "resolve":
		_, err = c.support.ResolveCase(ctx, &reconciliationv1.ResolveCaseRequest{CaseId: id, Resolution: reason})
	default:
		c.nowhere(w, r, v)
		return
	}
	if err != nil {
		c.drawCase(w, r, v, "", troubleOf("Reconciliation", err))
		return
	}
	http.Redirect(w, r, "/cases/"+strconv.FormatInt(id, 10)+"?did="+verb, http.StatusSeeOther)
}
