package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// store is an [os.File], at whose end is written.
type store interface {
	io.WriteCloser
	Truncate(size int64) error
	Sync() error
}

// writer has the file of a trail. One goroutine owns it.
type writer struct {
	file store
	end
	failed error // why nothing can be written any more; nil: it can
}

// end is where a file ends.
type end struct {
	chain   chain
	size    int64  // all of it whole lines
	missing uint64 // records that should follow the last one, and do not
}

// begin verifies what there is, and goes on behind it.
func begin(file *os.File) (*writer, error) {
	if err := lock(file); err != nil {
		return nil, fmt.Errorf("audit: another program has it open: %w", err)
	}
	w := &writer{file: file, end: end{chain: newChain()}}
	open, err := w.chain.read(file)
	if err != nil {
		return nil, err
	}
	if w.size, err = file.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if open {
		if err := w.write([]byte("\n")); err != nil {
			return nil, err
		}
	}
	if w.chain.damaged != "" {
		err := w.add(Record{Time: time.Now().UTC(), Event: torn, Detail: map[string]string{after: w.chain.whole}})
		if err == nil {
			err = w.sync()
		}
		return w, err
	}
	return w, nil
}

// commit brings a batch to the disk. Of each record that does not get there its
// Recorder is told.
func (w *writer) commit(batch []entry) {
	before, count := w.end, uint64(0)
	var written []*Recorder
	for _, e := range batch {
		count += e.lost
		w.missing += e.lost
		if e.recorded != nil {
			continue
		}
		count++
		if err := w.append(e.record); err != nil {
			e.from.miss(err)
		} else {
			written = append(written, e.from)
		}
	}
	if len(written) > 0 {
		if err := w.sync(); err != nil {
			w.takeBack(before, err)
			w.missing += count
			for _, r := range written {
				r.miss(err)
			}
		}
	}
	for _, e := range batch {
		if e.recorded != nil {
			close(e.recorded)
		}
	}
}

// append adds r and, before it, how many are missing there. If it fails, r is
// missing too.
func (w *writer) append(r Record) error {
	err := w.tellMissing()
	if err == nil {
		err = w.add(r)
	}
	if err != nil {
		w.missing++
	}
	return err
}

// tellMissing adds how many records are missing, if any are.
func (w *writer) tellMissing() error {
	if w.missing == 0 {
		return nil
	}
	err := w.add(Record{Time: time.Now().UTC(), Event: missing, Detail: map[string]string{records: strconv.FormatUint(w.missing, 10)}})
	if err == nil {
		w.missing = 0
	}
	return err
}

// add adds r as the next line, with its Seq and Prev.
func (w *writer) add(r Record) error {
	r.Seq, r.Prev = w.chain.Records+1, w.chain.Last
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := w.write(append(line, '\n')); err != nil {
		return err
	}
	return w.chain.add(line)
}

// write adds all of line or, when the disk is full, nothing: behind a part of a
// line no other would be one.
func (w *writer) write(line []byte) error {
	if w.failed != nil {
		return w.failed
	}
	n, err := w.file.Write(line)
	if err == nil {
		w.size += int64(n)
		return nil
	}
	err = fmt.Errorf("audit: %w", err)
	w.takeBack(w.end, err)
	return err
}

func (w *writer) sync() error {
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// takeBack has the file end where it did: what the disk would not have, for the
// reason why, may be there in parts or not at all. If that cannot be done, nothing
// more is written, and the next Open finds a line that is torn.
func (w *writer) takeBack(to end, why error) {
	w.end = to
	if err := w.file.Truncate(to.size); err != nil {
		w.failed = errors.Join(why, err)
	}
}

// close adds that records are missing at the end, lost of them not known until
// now, and closes the file.
func (w *writer) close(lost uint64) error {
	w.missing += lost
	err := w.tellMissing()
	if err == nil && w.failed == nil {
		err = w.sync()
	}
	return errors.Join(err, w.file.Close())
}
