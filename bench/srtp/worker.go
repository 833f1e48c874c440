package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"sotto/internal/oracle"
	"sotto/media/protect"
)

const (
	chunkLen  = 256 // packets between two looks at the clock; they stay in the cache
	chunks    = 8   // that are timed; their median counts
	stride    = 512 // of packets in memory
	headerLen = 12  // RFC 3550 §5.1
)

// engine is what a worker measures.
type engine interface {
	// prepare sees that there are so many pairs of contexts of this profile.
	prepare(profile string, contexts int) error
	// seal protects a packet that is to be unprotected later.
	seal(context int, buf []byte, n int) (int, error)
	// stage gets a chunk ready, and check looks at what became of it. Neither is
	// in the time.
	stage(op string, chunk []packet)
	check() error
	// run is what the clock sees.
	run(op, mode string)
}

// packet lies in a buffer that has room behind it.
type packet struct {
	context int
	buf     []byte
	n       int
}

// hello is the first thing a worker says.
type hello struct{ Tier string }

// answer is what a worker says to each load.
type answer struct {
	Sample sample
	Error  string
}

// work is the process that measures one engine: it reads loads and answers
// each.
func work(name string, r io.Reader, w io.Writer) error {
	var e engine
	switch name {
	case "ours":
		e = &ours{}
	case pionName:
		e = &pion{}
	default:
		return fmt.Errorf("-worker %q: ours or %s", name, pionName)
	}
	in, out := json.NewDecoder(r), json.NewEncoder(w)
	if err := out.Encode(hello{protect.Tier()}); err != nil {
		return err
	}
	m := &meter{engine: e}
	for {
		var l load
		if err := in.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var a answer
		var err error
		if a.Sample, err = m.measure(l); err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

// meter measures an engine.
type meter struct {
	engine  engine
	store   []byte         // all packets of a load
	bufs    [][stride]byte // of a chunk
	packets []packet
	profile string
	next    []uint16 // sequence number of each context of the profile
}

// measure makes packets, and then runs them a chunk at a time. Making and
// copying them is not in the time; nobody has to undo what happens in place.
func (m *meter) measure(l load) (sample, error) {
	if err := m.engine.prepare(l.Profile, l.Contexts); err != nil {
		return sample{}, err
	}
	total := l.Warm + l.Timed
	n, err := m.fill(l, total)
	if err != nil {
		return sample{}, err
	}
	if m.bufs == nil {
		m.bufs, m.packets = make([][stride]byte, chunkLen), make([]packet, chunkLen)
	}
	var before, after runtime.MemStats
	spent := make([]float64, 0, chunks)
	runtime.ReadMemStats(&before)
	for at := 0; at < total; {
		end := l.Warm
		if at >= l.Warm {
			end = total
		}
		chunk := m.packets[:min(chunkLen, end-at)]
		for i := range chunk {
			copy(m.bufs[i][:], m.store[(at+i)*stride:][:stride])
			chunk[i] = packet{(at + i) % l.Contexts, m.bufs[i][:], n}
		}
		m.engine.stage(l.Op, chunk)
		start := time.Now()
		m.engine.run(l.Op, l.Mode)
		if at >= l.Warm {
			spent = append(spent, float64(time.Since(start))/float64(len(chunk)))
		}
		if err := m.engine.check(); err != nil {
			return sample{}, err
		}
		at += len(chunk)
	}
	runtime.ReadMemStats(&after)
	return sample{
		NS:     median(spent),
		Allocs: float64(after.Mallocs-before.Mallocs) / float64(total),
	}, nil
}

// fill makes total packets, protected ones if they are to be unprotected, and
// returns their length. Sequence numbers go on from where they were.
func (m *meter) fill(l load, total int) (n int, err error) {
	if len(m.store) < total*stride {
		m.store = make([]byte, total*stride)
	}
	if l.Profile != m.profile {
		m.profile, m.next = l.Profile, nil
	}
	for len(m.next) < l.Contexts {
		m.next = append(m.next, 0)
	}
	for i := range total {
		buf := m.store[i*stride:][:stride]
		context := i % l.Contexts
		clear(buf)
		buf[0], buf[1] = 0x80, 96
		binary.BigEndian.PutUint16(buf[2:], m.next[context])
		m.next[context]++
		binary.BigEndian.PutUint32(buf[8:], ssrcOf(context))
		for j := range l.Size {
			buf[headerLen+j] = byte(i + j)
		}
		n = headerLen + l.Size
		if l.Op == unprotectOp {
			if n, err = m.engine.seal(context, buf, n); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func ssrcOf(context int) uint32 { return 0xcf000000 + uint32(context) }

// keyOf is some context's master key and salt.
func keyOf(context, n int) []byte {
	key := make([]byte, n)
	for i := range key {
		key[i] = byte(7*i + context + context>>8)
	}
	return key
}

// startWorker starts a process of this program that measures one engine, under
// one tier if it is ours.
func startWorker(name, tier string) (subject, error) {
	self, err := os.Executable()
	if err != nil {
		return subject{}, err
	}
	cmd := exec.Command(self, "-worker", name)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "SOTTO_SRTP_TIER="+tier)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return subject{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return subject{}, err
	}
	if err := cmd.Start(); err != nil {
		return subject{}, err
	}
	in, out := json.NewDecoder(stdout), json.NewEncoder(stdin)
	s := subject{name: name, modes: []string{single}, has: oracle.Has}
	if name == "ours" {
		s.name, s.modes, s.has = tier, []string{single, batch}, oursHas
	}
	s.close = func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	s.take = func(c cell, mode string) (sample, error) {
		var a answer
		if err := errors.Join(out.Encode(c.load(mode)), in.Decode(&a)); err != nil {
			return sample{}, err
		}
		if a.Error != "" {
			return sample{}, errors.New(a.Error)
		}
		return a.Sample, nil
	}
	var h hello
	if err := in.Decode(&h); err != nil {
		return subject{}, errors.Join(err, s.close())
	}
	if name == "ours" && h.Tier != tier {
		return subject{}, errors.Join(fmt.Errorf("asked for the tier %s, got %s", tier, h.Tier), s.close())
	}
	return s, nil
}

// profileNamed finds ours by its IANA name; zero: there is none.
func profileNamed(name string) protect.Profile {
	for _, p := range protect.Profiles() {
		if p.String() == name {
			return p
		}
	}
	return 0
}

func oursHas(profile string) bool { return profileNamed(profile) != 0 }
