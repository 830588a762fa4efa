package console

import (
	"net/http"
	"strings"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// auditBody is who did what, when and why.
type auditBody struct {
	Actor, Subject string
	Entries        []*reconciliationv1.AuditEntry
	Next           string
	Trouble        *trouble
}

func (c *console) audit(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	q := r.URL.Query()
	b := auditBody{Actor: strings.TrimSpace(q.Get("actor")), Subject: strings.TrimSpace(q.Get("subject"))}
	list, err := c.support.ListAudit(ctx, &reconciliationv1.ListAuditRequest{Actor: b.Actor, Subject: b.Subject, PageToken: q.Get("page")})
	b.Entries, b.Next, b.Trouble = list.GetEntries(), list.GetNextPageToken(), troubleOf("Reconciliation", err)
	c.show(w, r, v, "audit", page{Title: "Audit", Nav: "audit", Body: b})
}
