package crashlab

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgproto3"
)

// frame is one message of PostgreSQL's protocol, with its header.
type frame []byte

func (f frame) kind() byte   { return f[0] }
func (f frame) body() []byte { return f[5:] }

// frameMost bounds a message; a bulk of events is a few megabytes.
const frameMost = 64 << 20

func readFrame(r *bufio.Reader) (frame, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[1:]))
	if n < 4 || n > frameMost {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	f := append(make(frame, 0, n+1), head...)[:n+1]
	_, err := io.ReadFull(r, f[5:])
	return f, err
}

// What the proxy sends of its own.

func query(sql string) frame {
	raw, err := (&pgproto3.Query{String: sql}).Encode(nil)
	if err != nil {
		panic(err) // a short text always fits
	}
	return raw
}

// The kinds of messages that matter here; the letters are the protocol's.
const (
	parseKind     = 'P'
	bindKind      = 'B'
	executeKind   = 'E'
	closeKind     = 'C'
	syncKind      = 'S'
	queryKind     = 'Q'
	readyKind     = 'Z'
	rowKind       = 'D'
	completeKind  = 'C'
	errorKind     = 'E'
	copyInKind    = 'G'
	copyDoneKind  = 'c'
	copyFailKind  = 'f'
	idleStatus    = 'I'
	inTransaction = 'T'
)

// failed says whether an answer has an error.
func failed(answer []frame) bool {
	for _, f := range answer {
		if f.kind() == errorKind {
			return true
		}
	}
	return false
}

// bytesOf joins messages for one write.
func bytesOf(frames []frame) []byte {
	var all []byte
	for _, f := range frames {
		all = append(all, f...)
	}
	return all
}

// fields are the values of a row; nil is null.
func fields(f frame) [][]byte {
	var row pgproto3.DataRow
	if row.Decode(f.body()) != nil {
		return nil
	}
	return row.Values
}
