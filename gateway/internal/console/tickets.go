package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// ticketsBody is what customers wrote.
type ticketsBody struct {
	Tickets  []*reconciliationv1.Ticket
	Resolved bool
	Next     string
	Trouble  *trouble
}

func (c *console) listTickets(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	b := ticketsBody{Resolved: r.URL.Query().Get("show") == "resolved"}
	ask := &reconciliationv1.ListTicketsRequest{PageToken: r.URL.Query().Get("page")}
	if b.Resolved {
		ask.State = reconciliationv1.Ticket_RESOLVED
	}
	list, err := c.support.ListTickets(ctx, ask)
	b.Tickets, b.Next, b.Trouble = list.GetTickets(), list.GetNextPageToken(), troubleOf("Reconciliation", err)
	c.show(w, r, v, "tickets", page{Title: "Tickets", Nav: "tickets", Body: b})
}

// newTicketBody is a ticket that is being written down.
type newTicketBody struct {
	Values  url.Values
	Key     string
	Trouble *trouble
}

func (c *console) newTicket(w http.ResponseWriter, r *http.Request, v *visit) {
	c.show(w, r, v, "new-ticket", page{Title: "New ticket", Nav: "tickets", Body: newTicketBody{Values: url.Values{}, Key: newKey()}})
}

func (c *console) openTicket(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.acting(r)
	defer cancel()
	ticket, err := c.support.OpenTicket(ctx, &reconciliationv1.OpenTicketRequest{
		Email: strings.TrimSpace(r.PostFormValue("email")), Subject: strings.TrimSpace(r.PostFormValue("subject")), Description: strings.TrimSpace(r.PostFormValue("description")),
		Category: reconciliationv1.Ticket_Category(reconciliationv1.Ticket_Category_value[r.PostFormValue("category")]), IdempotencyKey: r.PostFormValue("key"),
	})
	if wrong := actedTrouble("Reconciliation", err); wrong != nil {
		// The same key again: it may be open already.
		c.showAs(w, r, v, wrong.Status, "new-ticket", page{Title: "New ticket", Nav: "tickets", Body: newTicketBody{Values: r.PostForm, Key: r.PostFormValue("key"), Trouble: wrong}})
		return
	}
	http.Redirect(w, r, "/tickets/"+strconv.FormatInt(ticket.GetId(), 10)+"?did=open", http.StatusSeeOther)
}

// ticketBody is one ticket.
type ticketBody struct {
	Ticket  *reconciliationv1.Ticket
	Lookup  string
	Trouble *trouble
}

func (c *console) showTicket(w http.ResponseWriter, r *http.Request, v *visit) {
	told := map[string]string{"open": "The ticket is open.", "change": "The ticket is changed."}[r.URL.Query().Get("did")]
	c.drawTicket(w, r, v, told, nil)
}

func (c *console) drawTicket(w http.ResponseWriter, r *http.Request, v *visit, told string, wrong *trouble) {
	ctx, cancel := v.asking(r)
	defer cancel()
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	ticket, err := c.findTicket(ctx, id)
	if ticket == nil {
		if wrong = troubleOf("Reconciliation", err); wrong == nil {
			wrong = &trouble{Text: "There is no ticket of this number among the open ones and the latest of the others.", Reason: "TICKET_NOT_FOUND", Status: http.StatusNotFound}
		}
		c.inTrouble(w, r, v, "tickets", "Ticket", wrong)
		return
	}
	status := http.StatusOK
	if wrong != nil {
		status = wrong.Status
	}
	c.showAs(w, r, v, status, "ticket", page{Title: "Ticket " + r.PathValue("id"), Nav: "tickets", Told: told, Body: ticketBody{
		Ticket: ticket, Trouble: wrong, Lookup: lookupPath(v.token, url.Values{"q": {ticket.GetEmail()}}),
	}})
}

// findTicket looks for a ticket in the lists, which is how the contract gives them.
func (c *console) findTicket(ctx context.Context, id int64) (*reconciliationv1.Ticket, error) {
	for _, state := range []reconciliationv1.Ticket_State{0, reconciliationv1.Ticket_RESOLVED} {
		list, err := c.support.ListTickets(ctx, &reconciliationv1.ListTicketsRequest{State: state, PageSize: 200})
		if err != nil {
			return nil, err
		}
		for _, t := range list.GetTickets() {
			if t.GetId() == id {
				return t, nil
			}
		}
	}
	return nil, nil
}

func (c *console) changeTicket(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.acting(r)
	defer cancel()
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	version, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	_, err := c.support.ChangeTicket(ctx, &reconciliationv1.ChangeTicketRequest{
		TicketId: id, Version: version, State: reconciliationv1.Ticket_State(reconciliationv1.Ticket_State_value[r.PostFormValue("state")]),
		Resolution: strings.TrimSpace(r.PostFormValue("resolution")), AssignedTo: strings.TrimSpace(r.PostFormValue("assigned_to")),
	})
	if err != nil {
		c.drawTicket(w, r, v, "", actedTrouble("Reconciliation", err))
		return
	}
	http.Redirect(w, r, "/tickets/"+r.PathValue("id")+"?did=change", http.StatusSeeOther)
}
