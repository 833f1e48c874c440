// Package audit keeps a trail that shows when it was changed afterwards: a file
// of JSON lines, each with the SHA-256 of the line before.
//
// Who records does not wait for the disk: one goroutine writes, behind a queue
// that is bounded. What the queue or the disk has no room for is missing, which
// the trail says where it goes on.
//
// Lines missing at the end show as a call that begins and does not end, as long as
// the end of a call is among them, and stay so when the trail goes on. What nobody
// can see from the file alone is that whole calls are missing at its end, or that
// all of it was written anew. Whoever keeps the hash of a last line elsewhere can.
package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Record is a line. Nothing in it is secret.
type Record struct {
	Seq    uint64            `json:"seq"` // from 1
	Time   time.Time         `json:"time"`
	Call   string            `json:"call,omitempty"` // tells calls apart
	Event  string            `json:"event"`
	Detail map[string]string `json:"detail,omitempty"`
	Prev   string            `json:"prev"` // SHA-256 of the line before, in hexadecimal; of nothing for the first
}

// The Events between which all other records of a call are.
const (
	Begins = "begins"
	Ended  = "ended"
)

const (
	// torn is the Event of the line after one that a crash has cut off.
	torn = "torn"
	// after is its Detail that names the hash of the last whole line.
	after = "after"
	// missing is the Event of the line in whose place there would be others, had
	// the disk taken them.
	missing = "missing"
	// records is its Detail that says how many.
	records = "records"

	maxLine = 1 << 16
	// maxDetail is what is kept of a detail, in bytes; an ellipsis stands for the rest.
	maxDetail = 500
)

// ErrBroken is that a trail is not as it was written.
var ErrBroken = errors.New("audit: the chain is broken")

// Summary is what Verify has found.
type Summary struct {
	Records uint64
	Missing uint64 // records that the disk did not take, as the trail itself says
	Torn    int    // lines that a crash has cut off, and that are known as such
	// Unended are the calls that begin and do not end: they are under way, a crash
	// has ended them, or lines are missing.
	Unended int
	Last    string // hash of the last line
}

// chain follows the lines of a trail.
type chain struct {
	Summary
	line    int
	damaged string          // why the last line is not whole; empty: it is
	whole   string          // hash of the last line that is one
	calls   map[string]bool // that begin and have not ended yet
}

func newChain() chain {
	none := hash(nil)
	return chain{Summary: Summary{Last: none}, whole: none, calls: map[string]bool{}}
}

func hash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// add takes the next line, without its end. A line that is the beginning of a
// record is an error only when the next one does not say that it is torn.
func (c *chain) add(line []byte) error {
	c.line++
	var r Record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	if errors.Is(err, io.ErrUnexpectedEOF) && c.damaged == "" {
		c.damaged, c.Last = "it is cut off", hash(line)
		return nil
	}
	if err != nil || d.InputOffset() != int64(len(line)) {
		return c.broken("it is no record")
	}
	if c.damaged != "" && (r.Event != torn || r.Detail[after] != c.whole) {
		c.line--
		return c.broken(c.damaged)
	}
	switch {
	case r.Prev != c.Last:
		return c.broken("it does not follow the line before it")
	case r.Seq != c.Records+1:
		return c.broken(fmt.Sprintf("it is record %d, want %d", r.Seq, c.Records+1))
	}
	if r.Event == missing {
		n, err := strconv.ParseUint(r.Detail[records], 10, 64)
		if err != nil {
			return c.broken("it does not say how many records are missing")
		}
		c.Missing += n
	}
	if c.damaged != "" {
		c.Torn++
	}
	switch r.Event {
	case Begins:
		c.calls[r.Call] = true
	case Ended:
		delete(c.calls, r.Call)
	}
	c.Records++
	c.Unended = len(c.calls)
	c.Last = hash(line)
	c.damaged, c.whole = "", c.Last
	return nil
}

func (c *chain) broken(why string) error {
	return fmt.Errorf("%w: line %d: %s", ErrBroken, c.line, why)
}

// read takes all of r, and reports whether its last line has no end.
func (c *chain) read(r io.Reader) (open bool, err error) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return false, nil
		case errors.Is(err, io.EOF):
			return true, c.add(line)
		case errors.Is(err, bufio.ErrBufferFull):
			c.line++
			return false, c.broken("it is too long")
		case err != nil:
			return false, err
		}
		if err := c.add(line[:len(line)-1]); err != nil {
			return false, err
		}
	}
}

// Verify reads a trail. The error is [ErrBroken], with the line where, or one of
// reading.
func Verify(r io.Reader) (Summary, error) {
	c := newChain()
	_, err := c.read(r)
	if err == nil && c.damaged != "" {
		err = c.broken(c.damaged)
	}
	return c.Summary, err
}
