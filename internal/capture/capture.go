// Package capture reads the UDP datagrams out of a capture file, pcap or
// pcapng, as tcpdump, dumpcap and Wireshark write them.
//
// A [Reader] reads a stream: it holds one frame at a time, so that it can
// follow a capture which is still being written, and takes any bytes at all.
package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// maxFrameLen is the most bytes that one frame may have in a file: the limit of
// libpcap.
const maxFrameLen = 256 << 10

// ErrFormat means a file that is no capture, or one that is damaged.
var ErrFormat = errors.New("capture: not a capture file, or a damaged one")

// Datagram is one UDP datagram that was seen.
type Datagram struct {
	Number   int // of its frame in the file, from 1
	Time     time.Time
	From, To netip.AddrPort
	Payload  []byte // valid until the next call of Next
	Missing  int    // bytes at its end that were not captured
}

// Skipped counts the frames that Next passed over and in which a datagram may
// have been.
type Skipped struct {
	Fragments int // of IP packets, which are not put together
	Links     int // on links of a kind that is not known here
	Damaged   int // whose headers are cut short or contradict themselves
}

// Reader reads one capture file.
type Reader struct {
	frames interface {
		// next returns one frame; its bytes are valid until the next call.
		next() (frame, error)
	}
	number  int
	skipped Skipped
}

// frame is what was captured of one packet on one link.
type frame struct {
	time time.Time
	link uint32 // its LINKTYPE_ number
	data []byte
}

// NewReader reads the head of a file. Errors: ErrFormat, and those of r.
func NewReader(r io.Reader) (*Reader, error) {
	in := &input{r: bufio.NewReader(r)}
	magic, err := in.take(4)
	if errors.Is(err, io.EOF) || err == nil && len(magic) < 4 {
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(magic) == blockSection {
		return &Reader{frames: &pcapng{in: in, pending: true}}, nil
	}
	p, err := newPcap(in, [4]byte(magic))
	if err != nil {
		return nil, err
	}
	return &Reader{frames: p}, nil
}

// Next returns the next UDP datagram, or io.EOF behind the last. A file that
// ends within a frame gives ErrFormat.
func (r *Reader) Next() (Datagram, error) {
	for {
		f, err := r.frames.next()
		if err != nil {
			return Datagram{}, err
		}
		r.number++
		packet, err := network(f)
		if err == nil {
			var d Datagram
			if d, err = datagram(packet); err == nil {
				d.Number, d.Time = r.number, f.time
				return d, nil
			}
		}
		switch {
		case errors.Is(err, errFragment):
			r.skipped.Fragments++
		case errors.Is(err, errLink):
			r.skipped.Links++
		case errors.Is(err, errDamaged):
			r.skipped.Damaged++
		}
	}
}

// Skipped is what has been passed over so far.
func (r *Reader) Skipped() Skipped { return r.skipped }

// input hands out a stream in pieces, in one buffer that grows only as far as
// there are bytes to fill it.
type input struct {
	r   *bufio.Reader
	buf []byte
}

// take returns the next n bytes, valid until the next call. io.EOF means that
// there was not one of them; a stream that ends between gives ErrFormat.
func (in *input) take(n int) ([]byte, error) {
	const step = 16 << 10
	in.buf = in.buf[:0]
	for len(in.buf) < n {
		have := len(in.buf)
		more := min(n-have, step)
		in.buf = append(in.buf, make([]byte, more)...)
		got, err := io.ReadFull(in.r, in.buf[have:])
		switch {
		case errors.Is(err, io.EOF) && have+got == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("%w: it ends in the middle of a record", ErrFormat)
		case err != nil:
			return nil, err
		}
	}
	return in.buf, nil
}

// within is for what has to follow: there io.EOF is no good end.
func (in *input) within(n int) ([]byte, error) {
	b, err := in.take(n)
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it ends in the middle of a record", ErrFormat)
	}
	return b, err
}

// skip passes over n bytes.
func (in *input) skip(n int64) error {
	if got, err := io.CopyN(io.Discard, in.r, n); got < n {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it ends in the middle of a record", ErrFormat)
		}
		return err
	}
	return nil
}
