// Package audit keeps a trail that shows when it was changed afterwards: a file
// of JSON lines, each with the SHA-256 of the line before.
//
// What nobody can see from the file alone is that its last lines are missing, or
// that all of it was written anew. Whoever keeps the hash of a last line
// elsewhere can.
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
	"os"
	"sync"
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

const (
	// torn is the Event of the line after one that a crash has cut off.
	torn = "torn"
	// after is its Detail that names the hash of the last whole line.
	after = "after"

	maxLine = 1 << 16
	// maxDetail is what is kept of a detail, in bytes.
	maxDetail = 500
)

// ErrBroken is that a trail is not as it was written.
var ErrBroken = errors.New("audit: the chain is broken")

// Summary is what Verify has found.
type Summary struct {
	Records uint64
	Torn    int    // lines that a crash has cut off, and that are known as such
	Last    string // hash of the last line
}

// chain follows the lines of a trail.
type chain struct {
	Summary
	line    int
	damaged string // why the last line is not whole; empty: it is
	whole   string // hash of the last line that is one
}

func newChain() chain {
	none := hash(nil)
	return chain{Summary: Summary{Last: none}, whole: none}
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
	if c.damaged != "" {
		c.Torn++
	}
	c.Records++
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

// Log appends to a trail. Its methods may be called from any goroutine.
type Log struct {
	mu     sync.Mutex
	file   store
	chain  chain
	size   int64 // of the file, all of it whole lines
	failed error // why nothing can be appended any more; nil: it can
}

// store is an [os.File], at whose end is written.
type store interface {
	io.WriteCloser
	Truncate(size int64) error
	Sync() error
}

// Open opens or creates the trail at path, and verifies it. A last line that a
// crash has cut off stays, and is followed by a record that says so. One process
// at a time has a trail.
func Open(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l := &Log{file: file, chain: newChain()}
	if err := l.begin(file); err != nil {
		return nil, errors.Join(fmt.Errorf("%w (%s)", err, path), file.Close())
	}
	return l, nil
}

func (l *Log) begin(file *os.File) error {
	if err := lock(file); err != nil {
		return fmt.Errorf("audit: another program has it open: %w", err)
	}
	open, err := l.chain.read(file)
	if err != nil {
		return err
	}
	if l.size, err = file.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if open {
		if err := l.write([]byte("\n")); err != nil {
			return err
		}
	}
	if l.chain.damaged != "" {
		return l.Append(Record{Event: torn, Detail: map[string]string{after: l.chain.whole}})
	}
	return nil
}

// Append adds r, whose Seq, Prev and, if zero, Time are filled in, and returns
// when it is on the disk.
func (l *Log) Append(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Seq, r.Prev = l.chain.Records+1, l.chain.Last
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	r.Time = r.Time.UTC()
	for k, v := range r.Detail {
		if len(v) > maxDetail {
			r.Detail[k] = v[:maxDetail]
		}
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := l.write(append(line, '\n')); err != nil {
		return err
	}
	if err := l.chain.add(line); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// write adds all of line or, when the disk is full, nothing: behind a part of a
// line no other would be one. If the part cannot be taken back, nothing more is
// written, and the next Open finds a line that is torn.
func (l *Log) write(line []byte) error {
	if l.failed != nil {
		return l.failed
	}
	n, err := l.file.Write(line)
	if err == nil {
		l.size += int64(n)
		return nil
	}
	err = fmt.Errorf("audit: %w", err)
	if undo := l.file.Truncate(l.size); undo != nil {
		l.failed = errors.Join(err, undo)
	}
	return err
}

// Close closes the trail.
func (l *Log) Close() error { return l.file.Close() }
