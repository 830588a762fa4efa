// Package personal exports and erases what a service keeps about one person. A
// service says in a Keeper which of its rows are somebody's and what of them names
// them; how it is read, and taken out in one transaction, is the same for all.
package personal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"

	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
)

// ErrStillOpen refuses to erase while something of the person's is open; its message
// says what.
var ErrStillOpen = apperr.New(codes.Aborted, "STILL_OPEN", "something of this person is open")

// Kinds of ids by which rows are somebody's. Each is known in a Keeper's SQL under its
// name, as text[].
const (
	Orders    = "orders"
	Customers = "customers"
	Objects   = "objects"
	Events    = "events"
	Accounts  = "accounts"
)

// Names finds more ids of the person.
type Names struct {
	Of string
	// SQL lists them as text.
	SQL string
}

// Table is one with rows of people.
type Table struct {
	// Name has the schema.
	Name string
	// Of is the condition that says whose a row is; the row is t.
	Of string
	// Hide are the columns that an export leaves out: what gives access or takes money.
	Hide []string
	// Erase takes names and addresses out; empty where there are none.
	Erase string
}

// Keeper says what a service keeps about people. In all SQL, @email_key is the
// address as it is compared, and the kinds of ids are @orders and so on; in Erase and
// Open also @pseudonym, @now, and @access_goes_on.
type Keeper struct {
	// Names are found one after the other; each may use what was found before.
	Names []Names
	// Open each lists, in plain words and without names, what stands against erasing.
	Open []string
	// Tables are erased in their order, in one transaction.
	Tables []Table
}

// Server answers for one service's schema.
type Server struct {
	personalv1.UnimplementedPersonalDataServiceServer
	Keeper Keeper
	Pool   *pgxpool.Pool
	Now    func() time.Time
}

// Key is an address as it is compared.
func Key(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// ExportPerson implements personal.v1.
func (s *Server) ExportPerson(ctx context.Context, r *personalv1.ExportPersonRequest) (*personalv1.ExportPersonResponse, error) {
	out := &personalv1.ExportPersonResponse{}
	// One moment, as it is in all tables.
	err := pgx.BeginTxFunc(ctx, s.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		args, err := s.known(ctx, tx, r.GetPerson())
		if err != nil {
			return err
		}
		for _, t := range s.Keeper.Tables {
			rows, err := tx.Query(ctx, fmt.Sprintf("SELECT (to_jsonb(t) - @hide::text[])::text FROM %s AS t WHERE %s", t.Name, t.Of), with(args, "hide", notNil(t.Hide)))
			if err != nil {
				return fmt.Errorf("export %s: %w", t.Name, err)
			}
			list, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return fmt.Errorf("export %s: %w", t.Name, err)
			}
			if len(list) > 0 {
				out.Held = append(out.Held, &personalv1.Held{Table: t.Name, RowsJson: list})
			}
		}
		out.Names = names(args)
		return nil
	})
	return out, pg.Typed(err)
}

// errUndo undoes what a dry run, or what is refused, has written.
var errUndo = errors.New("nothing is kept of this")

// ErasePerson implements personal.v1.
func (s *Server) ErasePerson(ctx context.Context, r *personalv1.ErasePersonRequest) (*personalv1.ErasePersonResponse, error) {
	var out *personalv1.ErasePersonResponse
	err := pg.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		out = &personalv1.ErasePersonResponse{} // it may run again
		args, err := s.known(ctx, tx, r.GetPerson())
		if err != nil {
			return err
		}
		out.Names = names(args)
		args["pseudonym"], args["now"], args["access_goes_on"] = r.GetPseudonym(), s.Now().UTC(), r.GetAccessGoesOn()
		if out.Open, err = s.open(ctx, tx, args); err != nil {
			return err
		}
		if len(out.Open) > 0 {
			return errUndo
		}
		for _, t := range s.Keeper.Tables {
			if t.Erase == "" {
				continue
			}
			tag, err := tx.Exec(ctx, t.Erase, args)
			if err != nil {
				return fmt.Errorf("erase in %s: %w", t.Name, err)
			}
			if n := tag.RowsAffected(); n > 0 {
				out.Erased = append(out.Erased, &personalv1.Erased{Table: t.Name, RowCount: n})
			}
		}
		if r.GetDryRun() {
			return errUndo
		}
		return nil
	})
	if err != nil && !errors.Is(err, errUndo) {
		return nil, pg.Typed(err)
	}
	if len(out.Open) > 0 && !r.GetDryRun() {
		return nil, StillOpen(out.Open)
	}
	return out, nil
}

// StillOpen is ErrStillOpen with what is open.
func StillOpen(open []string) error {
	e := *ErrStillOpen
	e.Message = "nothing was erased, because something of this person is open: " + strings.Join(open, "; ")
	return &e
}

func (s *Server) open(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs) (all []string, err error) {
	for _, query := range s.Keeper.Open {
		found, err := list(ctx, tx, query, args)
		if err != nil {
			return nil, fmt.Errorf("what is open: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// known is what the SQL may use: what the caller knows, and what is found here.
func (s *Server) known(ctx context.Context, tx pgx.Tx, p *personalv1.Person) (pgx.NamedArgs, error) {
	args := pgx.NamedArgs{"email_key": Key(p.GetEmail())}
	for _, of := range []string{Orders, Customers, Objects, Events, Accounts} {
		args[of] = []string{}
	}
	for _, n := range p.GetNames() {
		if _, is := args[n.GetOf()].([]string); !is {
			return nil, apperr.Invalid("names", "there are no ids of "+n.GetOf())
		}
		args[n.GetOf()] = notNil(n.GetIds())
	}
	for _, n := range s.Keeper.Names {
		found, err := list(ctx, tx, n.SQL, args)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", n.Of, err)
		}
		all := slices.Concat(args[n.Of].([]string), found)
		slices.Sort(all)
		args[n.Of] = notNil(slices.Compact(all))
	}
	return args, nil
}

func list(ctx context.Context, tx pgx.Tx, query string, args pgx.NamedArgs) ([]string, error) {
	rows, err := tx.Query(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func names(args pgx.NamedArgs) (out []*personalv1.Names) {
	for _, of := range slices.Sorted(maps.Keys(args)) {
		if ids, is := args[of].([]string); is && len(ids) > 0 {
			out = append(out, &personalv1.Names{Of: of, Ids: ids})
		}
	}
	return out
}

func with(args pgx.NamedArgs, key string, value any) pgx.NamedArgs {
	out := maps.Clone(args)
	out[key] = value
	return out
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
