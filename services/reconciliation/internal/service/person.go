package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/personal"
	"makegood.example/services/reconciliation/internal/desk"
)

// ErrNobodyThere says that nothing is kept about an address.
var ErrNobodyThere = apperr.New(codes.NotFound, "PERSON_NOT_FOUND", "nothing is kept about a person with this address")

// keeper is a service that keeps something about people; this one, too.
type keeper struct {
	service string
	export  func(context.Context, *personalv1.Person) (*personalv1.ExportPersonResponse, error)
	erase   func(context.Context, *personalv1.ErasePersonRequest) (*personalv1.ErasePersonResponse, error)
}

// keepers are all of them. Orders is first to be read, because it knows the person's
// orders by their address, and last to be erased, so that what was interrupted finds
// them again.
func (s *Service) keepers() (all []keeper) {
	for _, k := range s.Keepers {
		all = append(all, keeper{k.Service, k.Export, k.Erase})
	}
	return append(all, keeper{"reconciliation",
		func(ctx context.Context, p *personalv1.Person) (*personalv1.ExportPersonResponse, error) {
			return s.Own.ExportPerson(ctx, &personalv1.ExportPersonRequest{Person: p})
		}, s.Own.ErasePerson,
	})
}

// Exported is everything that is kept about a person.
type Exported struct {
	Steps   []desk.Step
	AuditID int64
	// JSON is empty in a dry run.
	JSON string
}

// person is what the services keep about one, and their ids.
type person struct {
	Email      string                                  `json:"email"`
	ExportedAt time.Time                               `json:"exported_at"`
	Held       map[string]map[string][]json.RawMessage `json:"held"`
	Elsewhere  string                                  `json:"elsewhere"`
	known      *personalv1.Person
	steps      []desk.Step
}

// elsewhere is what a reader of an export must know of what is not in it.
const elsewhere = "Stripe keeps the person's Customers, cards, invoices and receipts, and the mail server what it sent: they are exported there. Raw bodies of Stripe's events are named here by their ids."

// subjects are what an audit entry about the person names: ids, and no address.
func (p person) subjects() []string {
	all := []string{"person"}
	for _, n := range p.known.GetNames() {
		if n.GetOf() == personal.Orders || n.GetOf() == personal.Accounts {
			all = append(all, n.GetIds()...)
		}
	}
	return all
}

// gatherPerson reads everything. Half an answer would be a wrong one, so who does not
// answer is an error. Errors: ErrNobodyThere.
func (s *Service) gatherPerson(ctx context.Context, email string) (person, error) {
	p := person{
		Email: email, ExportedAt: s.now(), Elsewhere: elsewhere, Held: map[string]map[string][]json.RawMessage{}, known: &personalv1.Person{Email: email},
	}
	for _, k := range s.keepers() {
		answer, err := k.export(ctx, p.known)
		if err != nil {
			return p, fmt.Errorf("%s does not say what it keeps: %w", k.service, err)
		}
		p.known.Names = answer.GetNames()
		for _, held := range answer.GetHeld() {
			if p.Held[k.service] == nil {
				p.Held[k.service] = map[string][]json.RawMessage{}
			}
			for _, row := range held.GetRowsJson() {
				p.Held[k.service][held.GetTable()] = append(p.Held[k.service][held.GetTable()], json.RawMessage(row))
			}
			p.steps = append(p.steps, desk.Step{What: "read " + held.GetTable(), Outcome: desk.Done, Note: rows(int64(len(held.GetRowsJson())))})
		}
	}
	if len(p.Held) == 0 {
		return p, ErrNobodyThere
	}
	return p, nil
}

// ExportPerson reads everything that is kept about the person with an address. Errors:
// ErrNobodyThere; UNAVAILABLE while a service cannot be asked.
func (s *Service) ExportPerson(ctx context.Context, a desk.Act, email string) (Exported, error) {
	p, err := s.gatherPerson(ctx, email)
	if err != nil {
		return Exported{}, err
	}
	done, err := s.act(ctx, a, deed{subjects: p.subjects(), do: func(context.Context) (did, error) { return did{steps: p.steps}, nil }})
	if err != nil || a.DryRun {
		return Exported{Steps: p.steps}, err
	}
	raw, err := json.MarshalIndent(p, "", "  ")
	return Exported{Steps: p.steps, AuditID: done.AuditID, JSON: string(raw)}, err
}

// ErasePerson takes a person's names and addresses out of all services. First all are
// asked what stands against it; each asks itself again when it erases. Errors:
// ErrNobodyThere; personal.ErrStillOpen.
func (s *Service) ErasePerson(ctx context.Context, a desk.Act, email string, accessGoesOn bool) (Acted, error) {
	p, err := s.gatherPerson(ctx, email)
	if err != nil {
		return s.erasedBefore(ctx, a, err)
	}
	wish := &personalv1.ErasePersonRequest{Person: p.known, Pseudonym: pseudonym(p), AccessGoesOn: accessGoesOn}
	return s.act(ctx, a, deed{
		subjects: p.subjects(),
		do: func(ctx context.Context) (did, error) {
			steps, err := s.erase(ctx, wish, true)
			if err != nil || a.DryRun {
				return did{steps: steps}, err
			}
			steps, err = s.erase(ctx, wish, false)
			return did{steps: steps}, err
		},
	})
}

// erasedBefore answers the same wish again, when there is nobody left to be found.
func (s *Service) erasedBefore(ctx context.Context, a desk.Act, nobody error) (Acted, error) {
	asked, done, err := s.Store.Audited(ctx, a.Key)
	switch {
	case err != nil:
		return Acted{}, err
	case asked == nil || asked.Act.Actor != a.Actor || !slices.Equal(asked.Act.RequestHash, a.RequestHash):
		return Acted{}, nobody
	case done != nil:
		return Acted{Steps: done.Steps, Done: true, AuditID: asked.ID}, nil
	}
	// Interrupted between the last effect and its row: now it is known.
	return s.act(ctx, a, deed{subjects: asked.Subjects, do: func(context.Context) (did, error) {
		return did{steps: []desk.Step{{What: "nothing is left of the person", Outcome: desk.NotNeeded}}}, nil
	}})
}

// erase has every service erase, or only say what it would.
func (s *Service) erase(ctx context.Context, wish *personalv1.ErasePersonRequest, dryRun bool) (steps []desk.Step, err error) {
	var open []string
	keepers := s.keepers()
	for _, k := range append(keepers[1:], keepers[0]) {
		answer, err := k.erase(ctx, &personalv1.ErasePersonRequest{Person: wish.GetPerson(), Pseudonym: wish.GetPseudonym(), AccessGoesOn: wish.GetAccessGoesOn(), DryRun: dryRun})
		if err != nil {
			return steps, fmt.Errorf("%s: %w", k.service, err)
		}
		open = append(open, answer.GetOpen()...)
		for _, e := range answer.GetErased() {
			outcome := desk.Done
			if dryRun {
				outcome = desk.WouldDo
			}
			steps = append(steps, desk.Step{What: "erased in " + e.GetTable(), Outcome: outcome, Note: rows(e.GetRowCount())})
		}
	}
	if len(open) > 0 {
		return nil, personal.StillOpen(open)
	}
	return steps, nil
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// people is the namespace of pseudonyms.
var people = uuid.MustParse("5c9b8a3e-0c57-5d0b-9b57-3f1f0f3c1f6a")

// pseudonym stands in place of the address. It derives from what stays, the person's
// orders, or accounts without one, so that what was interrupted goes on with the same;
// from all of them, because who bought again since then is somebody new where they
// were erased, and the pseudonym they had there is taken.
func pseudonym(p person) string {
	of := uuid.NewString()
	for _, n := range p.known.GetNames() { // accounts come before orders, whose ids are kept longest
		if n.GetOf() == personal.Orders || n.GetOf() == personal.Accounts {
			of = strings.Join(n.GetIds(), " ")
		}
	}
	return "erased-" + uuid.NewSHA1(people, []byte(of)).String() + "@erased.invalid"
}
