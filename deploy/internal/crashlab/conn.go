package crashlab

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
)

// conn is one session of a service with PostgreSQL.
type conn struct {
	proxy                  *proxy
	client, server         net.Conn
	fromClient, fromServer <-chan frame
	done                   chan struct{}

	prepared map[string]string // text by name
	portals  map[string]bound
	status   byte     // of the session, as PostgreSQL said it last
	pending  []write  // of the open transaction
	seen     [][]byte // values of the open transaction: whom it is about
}

// write is one statement that changed rows.
type write struct {
	// name is the query's, ops the tables with what was done to them.
	name string
	ops  []string
	// states are the words that say which step it is.
	states []string
}

// moment is when a fault may strike.
type moment struct {
	service string
	writes  []write
	// durable: what comes next makes the writes durable. Otherwise a transaction
	// goes on after it.
	durable bool
	// commit: the writes were made before, and a COMMIT is about to be sent.
	commit bool
	// late: they are durable already, so that no fault can come before.
	late bool
	// values are all that the statements were given and gave back: whom it is about.
	values [][]byte
	// scalars are those that were given one by one.
	scalars [][]byte
}

var errEnded = errors.New("the session ended")

// run passes messages on until a side ends.
func (c *conn) run() {
	var round []frame
	for {
		select {
		case f, ok := <-c.fromServer:
			if !ok {
				return
			}
			if f.kind() == readyKind {
				c.status = f.body()[0]
			}
			if _, err := c.client.Write(f); err != nil {
				return
			}
		case f, ok := <-c.fromClient:
			if !ok {
				return
			}
			round = append(round, f)
			if k := f.kind(); c.status != 0 && (k == syncKind || k == queryKind) {
				if c.play(round) != nil {
					return
				}
				round = nil
			} else if c.status == 0 || !slices.Contains([]byte{parseKind, bindKind, executeKind, closeKind, rowKind}, k) {
				if _, err := c.server.Write(bytesOf(round)); err != nil {
					return
				}
				round = nil
			}
		}
	}
}

// cut ends both sides.
func (c *conn) cut() {
	c.server.Close()
	c.client.Close()
}

// play has PostgreSQL do one round of statements.
func (c *conn) play(round []frame) error {
	statements := c.executed(round)
	var writing, commits, begins bool
	for _, s := range statements {
		a := analyse(s.sql)
		writing = writing || len(a.writes) > 0
		commits, begins = commits || a.commits, begins || a.begins
		if a.rollback || a.begins {
			c.pending, c.seen = nil, nil
		}
	}
	switch {
	case commits && len(c.pending) > 0:
		return c.playCommit(round)
	case writing && !begins && !commits:
		return c.playWrites(round, statements)
	}
	return c.pass(round)
}

// answerMost is how much of an answer is kept back until it is whole.
const answerMost = 64 << 10

// pass has a round done without a look at it.
func (c *conn) pass(round []frame) error {
	if _, err := c.server.Write(bytesOf(round)); err != nil {
		return err
	}
	var answer []byte // one write for all of it
	for copying := false; ; {
		fromClient := c.fromClient
		if !copying {
			fromClient = nil
		}
		select {
		case f, ok := <-fromClient:
			if !ok {
				return errEnded
			}
			if _, err := c.server.Write(f); err != nil {
				return err
			}
			copying = f.kind() != copyDoneKind && f.kind() != copyFailKind
		case f, ok := <-c.fromServer:
			if !ok {
				_, err := c.client.Write(answer) // why it ended, perhaps
				return errors.Join(errEnded, err)
			}
			answer = append(answer, f...)
			if f.kind() != readyKind && f.kind() != copyInKind && len(answer) < answerMost {
				continue
			}
			if _, err := c.client.Write(answer); err != nil {
				return err
			}
			answer = answer[:0]
			switch f.kind() {
			case copyInKind:
				copying = true
			case readyKind:
				c.status = f.body()[0]
				return nil
			}
		}
	}
}

// ask sends messages and collects the whole answer, which the client does not see.
func (c *conn) ask(round ...frame) ([]frame, error) {
	if _, err := c.server.Write(bytesOf(round)); err != nil {
		return nil, err
	}
	var answer []frame
	for f := range c.fromServer {
		answer = append(answer, f)
		if f.kind() == readyKind {
			c.status = f.body()[0]
			return answer, nil
		}
	}
	return nil, errEnded
}

// tell gives the client an answer.
func (c *conn) tell(answer []frame) error {
	_, err := c.client.Write(bytesOf(answer))
	return err
}

// playWrites does statements that write. Where a fault may strike, what would
// commit by itself is put into a transaction, so that what it did is known before
// anybody else can see it.
func (c *conn) playWrites(round []frame, statements []bound) error {
	wrapped := c.status == idleStatus && c.proxy.watcher.armed(c.proxy.service)
	alone := c.status == idleStatus
	if wrapped {
		if _, err := c.ask(query("BEGIN")); err != nil {
			return err
		}
	}
	answer, err := c.ask(round...)
	if err != nil {
		return err
	}
	writes, values, scalars := written(statements, answer)
	var strikes *fault
	if !failed(answer) && len(writes) > 0 {
		if !alone {
			c.pending, c.seen = append(c.pending, writes...), append(c.seen, values...)
		}
		strikes = c.proxy.watcher.reached(moment{service: c.proxy.service, writes: writes, durable: alone, late: alone && !wrapped, values: values, scalars: scalars})
	}
	finish := func(how string) error {
		if !wrapped {
			return nil
		}
		if c.status != inTransaction {
			how = "ROLLBACK"
		}
		done, err := c.ask(query(how))
		if err != nil {
			return err
		}
		if failed(done) { // refused when it was to be committed
			answer = done
		}
		answer[len(answer)-1] = done[len(done)-1] // the client has no transaction open
		return nil
	}
	if strikes != nil {
		return c.strike(strikes, func() error { return finish("ROLLBACK") }, func() error { return finish("COMMIT") })
	}
	if err := finish("COMMIT"); err != nil {
		return err
	}
	return c.tell(answer)
}

// playCommit does the COMMIT of a transaction that wrote.
func (c *conn) playCommit(round []frame) error {
	m := moment{service: c.proxy.service, writes: c.pending, durable: true, commit: true, values: c.seen}
	c.pending, c.seen = nil, nil
	strikes := c.proxy.watcher.reached(m)
	if strikes == nil {
		return c.pass(round)
	}
	return c.strike(strikes, func() error {
		_, err := c.ask(query("ROLLBACK"))
		return err
	}, func() error {
		_, err := c.ask(round...)
		return err
	})
}

// strike makes a fault happen. undo takes back what is not durable, keep makes it so.
func (c *conn) strike(f *fault, undo, keep func() error) error {
	var err error
	switch f.kind {
	case anError, serialization:
		if f.moment.durable {
			err = undo()
		}
		if err != nil {
			break
		}
		// PostgreSQL itself says no, and leaves the session as it would.
		refused, asked := c.ask(query("DO $$ BEGIN RAISE EXCEPTION 'a fault of the crash lab' USING ERRCODE = '" + f.kind.sqlstate() + "'; END $$"))
		if asked != nil {
			return asked
		}
		f.struck()
		return c.tell(refused)
	case lostAfter, killAfter:
		err = keep()
	}
	// A connection that ends takes back what was not committed.
	if f.kind == killBefore || f.kind == killAfter {
		f.kill()
	} else {
		f.struck()
	}
	c.cut()
	return errors.Join(errEnded, err)
}

// written says which statements of a round changed rows, and all values that went
// and came.
func written(statements []bound, answer []frame) (all []write, values, scalars [][]byte) {
	n := 0
	rows := 0
	for _, f := range answer {
		switch f.kind() {
		case rowKind:
			values = append(values, fields(f)...)
			rows++
		case completeKind:
			if n >= len(statements) {
				continue
			}
			s := statements[n]
			n++
			a := analyse(s.sql)
			if len(a.writes) == 0 || !changed(string(f.body()), rows) {
				rows = 0
				continue
			}
			rows = 0
			all = append(all, write{a.name, a.writes, states(s.values)})
			values = append(values, s.values...)
			scalars = append(scalars, s.values...)
		}
	}
	return all, values, scalars
}

// changed reads a command's tag: "UPDATE 1", "INSERT 0 1"; a SELECT that writes
// inside says how many rows it gave back.
func changed(tag string, rows int) bool {
	words := strings.Fields(strings.TrimRight(tag, "\x00"))
	if len(words) == 0 {
		return false
	}
	n, err := strconv.Atoi(words[len(words)-1])
	return err == nil && n > 0 || rows > 0
}
