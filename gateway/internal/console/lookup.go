package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// lookupTimeout is how long a lookup may take: it reads Stripe.
const lookupTimeout = 30 * time.Second

// lookupBody is what was asked, and who that is.
type lookupBody struct {
	Query string
	Card  cardForm
	// Asked: something was looked up, and the rest is the answer.
	Asked      bool
	Found      *reconciliationv1.LookupCustomerResponse
	Candidates []candidate
	Trouble    *trouble
	// Do is the recommended step, as a button; Others are what else can be done.
	Do     *doLink
	Reply  string
	Others []doLink
	Here   string
}

// cardForm is the card hint as it was typed.
type cardForm struct{ Last4, Amount, Currency, Date string }

func (c cardForm) empty() bool { return c.Last4 == "" && c.Amount == "" && c.Date == "" }

// candidate is one of several that may be meant, with the address of its page.
type candidate struct {
	*reconciliationv1.Candidate
	Path string
}

// doLink is a step that can be taken, as a link to its preview.
type doLink struct{ Text, Path string }

// Tone is how a diagnosis is coloured: whether somebody waits for us, for others, or
// nobody does.
func (b lookupBody) Tone() string {
	switch b.Found.GetDiagnosis() {
	case reconciliationv1.Diagnosis_ALL_GOOD, reconciliationv1.Diagnosis_REFUNDED:
		return "good"
	case reconciliationv1.Diagnosis_ORPHAN_CHARGE, reconciliationv1.Diagnosis_STUCK_ORDER, reconciliationv1.Diagnosis_PAID_NO_ACCESS,
		reconciliationv1.Diagnosis_DUPLICATE_CHARGE, reconciliationv1.Diagnosis_DISPUTED, reconciliationv1.Diagnosis_STRIPE_UNREACHABLE:
		return "bad"
	default:
		return "wait"
	}
}

// Known says whether the answer is about one person, rather than about several or
// nobody asked for.
func (b lookupBody) Known() bool { return b.Found != nil && len(b.Candidates) == 0 }

// Person is the newest order, by which the person is shown; nil without one.
func (b lookupBody) Person() *ordersv1.DescribeOrderResponse {
	if list := b.Found.GetOrders(); len(list) > 0 {
		return list[0]
	}
	return nil
}

// askLookup takes the form and sends on to an address that says nothing of the
// person: it can be loaded again, gone back to and kept.
func (c *console) askLookup(w http.ResponseWriter, r *http.Request, v *visit) {
	q := url.Values{}
	for _, key := range []string{"q", "last4", "amount", "currency", "date"} {
		if value := strings.TrimSpace(r.PostFormValue(key)); value != "" {
			q.Set(key, value)
		}
	}
	http.Redirect(w, r, lookupPath(v.token, q), http.StatusSeeOther)
}

// lookupPath is the page of what was asked: plain when that names nobody, sealed
// when it does.
func lookupPath(token string, q url.Values) string { return plainOrSealed(token, "/lookup", q) }

func plainOrSealed(token, path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	personal := q.Has("last4") || q.Has("email") || q.Has("name") || q.Has("to") || q.Has("subject") || strings.Contains(q.Get("q"), "@") || strings.Contains(q.Get("q"), " ")
	if !personal {
		return path + "?" + q.Encode()
	}
	return path + "?s=" + seal(token, q)
}

// asked are the values that an address carries, plain or sealed.
func (v *visit) asked(r *http.Request) (url.Values, *trouble) {
	q := r.URL.Query()
	if !q.Has("s") {
		return q, nil
	}
	opened, ok := unseal(v.token, q.Get("s"))
	if !ok {
		return url.Values{}, &trouble{Text: "This address was made for another sign-in, and only that one can open it. Look the customer up again.", Reason: "SEALED_FOR_ANOTHER", Status: http.StatusBadRequest}
	}
	return opened, nil
}

func (c *console) lookup(w http.ResponseWriter, r *http.Request, v *visit) {
	q, wrong := v.asked(r)
	b := lookupBody{
		Query: strings.TrimSpace(q.Get("q")), Here: r.URL.RequestURI(), Trouble: wrong,
		Card: cardForm{q.Get("last4"), q.Get("amount"), strings.ToUpper(q.Get("currency")), q.Get("date")},
	}
	ask := &reconciliationv1.LookupCustomerRequest{Query: b.Query}
	if b.Query == "" && !b.Card.empty() {
		amount, ok := parseAmount(b.Card.Amount, b.Card.Currency)
		switch {
		case b.Card.Amount != "" && !ok:
			b.Trouble = troubleOf("", errAmount)
		case !ok || b.Card.Last4 == "" || b.Card.Date == "":
			b.Trouble = &trouble{Text: "A card is found by all three: its last four digits, the amount such as 249.00, and the day on the statement.", Reason: "INVALID_ARGUMENT", Status: http.StatusBadRequest}
		}
		ask.Card = &reconciliationv1.CardHint{Last4: b.Card.Last4, AmountMinor: amount, Currency: b.Card.Currency, Date: b.Card.Date}
	}
	if b.Trouble == nil && (b.Query != "" || ask.GetCard() != nil) {
		b.Asked = true
		ctx, cancel := v.within(r, lookupTimeout)
		defer cancel()
		found, err := c.support.LookupCustomer(ctx, ask)
		b.Found, b.Trouble = found, troubleOf("Reconciliation", err)
		b.offer(v)
	}
	status := http.StatusOK
	if b.Trouble != nil {
		status = b.Trouble.Status
	}
	c.showAs(w, r, v, status, "lookup", page{Title: "Look up", Nav: "lookup", Body: b})
}

// offer prepares what can be done with what was found.
func (b *lookupBody) offer(v *visit) {
	for _, one := range b.Found.GetCandidates() {
		b.Candidates = append(b.Candidates, candidate{one, lookupPath(v.token, url.Values{"q": {one.GetQuery()}})})
	}
	link := func(d *deed, text string, values url.Values) doLink {
		values.Set("back", b.Here)
		return doLink{text, plainOrSealed(v.token, "/do/"+d.Name, values)}
	}
	if rec := b.Found.GetRecommendation(); rec != nil {
		if d, values, ok := recommended(rec); ok {
			do := link(d, d.Title, values)
			b.Do = &do
		}
		if rec.GetReply() != 0 {
			values := url.Values{"template": {rec.GetReply().String()}, "back": {b.Here}}
			if p := b.Person(); p != nil {
				values.Set("order_id", p.GetOrder().GetId())
			}
			if subject := b.wrote(); subject != "" {
				values.Set("subject", subject)
			}
			b.Reply = plainOrSealed(v.token, "/reply", values)
		}
	}
	for _, o := range b.Found.GetOrders() {
		id, short := o.GetOrder().GetId(), o.GetOrder().GetReferenceShort()
		b.Others = append(b.Others,
			link(deeds["recover"], "Recover "+short, url.Values{"order_id": {id}}),
			link(deeds["resend"], "Resend the confirmation of "+short, url.Values{"order_id": {id}}),
			link(deeds["refund"], "Refund "+short, url.Values{"order_id": {id}, "currency": {o.GetOrder().GetCurrency()}}))
	}
	for _, charge := range b.Found.GetCharges() {
		if charge.GetOrderId() == "" && charge.GetOwner().String() != "FOREIGN" {
			b.Others = append(b.Others, link(deeds["adopt"], "Adopt "+charge.GetChargeId(), url.Values{"charge_id": {charge.GetChargeId()}}))
		}
	}
	if p := b.Person(); p != nil && p.GetEmail() != "" && len(b.Found.GetOrders()) > 1 {
		b.Others = append(b.Others, link(deeds["recover"], "Recover everything of this customer", url.Values{"email": {p.GetEmail()}}))
	}
}

// wrote is the subject under which the person wrote last and waits for an answer;
// empty when they do not.
func (b *lookupBody) wrote() (subject string) {
	var at time.Time
	for _, t := range b.Found.GetTickets() {
		if opened := t.GetOpenedAt().AsTime(); t.GetState() != reconciliationv1.Ticket_RESOLVED && opened.After(at) {
			subject, at = t.GetSubject(), opened
		}
	}
	return subject
}

// recommended reads the exact call of a recommendation as a step of the console.
func recommended(rec *reconciliationv1.Recommendation) (*deed, url.Values, bool) {
	d, ok := deedOfRPC[rec.GetRpc()]
	if !ok {
		return nil, nil, false
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(rec.GetRequestJson()), &fields); err != nil {
		return nil, nil, false
	}
	values := url.Values{}
	for key, value := range fields {
		switch value := value.(type) {
		case string:
			if value != "" {
				values.Set(key, value)
			}
		case map[string]any: // act: the reason is a suggestion, the key is minted with our own form
			if reason, ok := value["reason"].(string); ok {
				values.Set("reason", reason)
			}
		}
	}
	return d, values, true
}
