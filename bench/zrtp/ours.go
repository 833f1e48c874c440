package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// warmUp is how many handshakes go before each measurement.
const warmUp = 2

// epoch is where virtual time begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// cost is the average of a batch, both sides together. Packets, bytes and
// allocations are those of the handshake alone.
type cost struct {
	setup, handshake time.Duration
	packets, bytes   int
	allocations      uint64
}

// end is one side of a handshake.
type end struct {
	*zrtp.Session
	secured *zrtp.Secured
	err     error
}

// pair is two Sessions that know no network.
type pair struct {
	a, b           end
	now            time.Time
	packets, bytes int
}

// handshakes measures n of them. The garbage collector's time counts: it is in
// the CPU time of the process.
func handshakes(s suite, n int) (cost, error) {
	if _, _, err := play(s, warmUp); err != nil {
		return cost{}, err
	}
	runtime.GC()
	c, pairs, err := play(s, n)
	for _, p := range pairs {
		c.packets += p.packets
		c.bytes += p.bytes
		p.a.Close()
		p.b.Close()
	}
	each := time.Duration(n)
	return cost{c.setup / each, c.handshake / each, c.packets / n, c.bytes / n, c.allocations / uint64(n)}, err
}

// play gives the totals of n handshakes, and the pairs that had them.
func play(s suite, n int) (c cost, pairs []*pair, err error) {
	pairs = make([]*pair, n)
	start := cpu()
	for i := range pairs {
		if pairs[i], err = newPair(s); err != nil {
			return cost{}, nil, err
		}
	}
	c.setup = cpu() - start
	allocated := allocations()
	start = cpu()
	for _, p := range pairs {
		if err := p.handshake(); err != nil {
			return cost{}, nil, err
		}
	}
	c.handshake = cpu() - start
	c.allocations = allocations() - allocated
	for _, p := range pairs {
		if err := p.check(s); err != nil {
			return cost{}, nil, err
		}
	}
	return c, pairs, nil
}

func newPair(s suite) (*pair, error) {
	a, err := newSession(1, s.offer())
	if err != nil {
		return nil, err
	}
	b, err := newSession(2, s.offer())
	if err != nil {
		return nil, err
	}
	return &pair{a: end{Session: a}, b: end{Session: b}, now: epoch}, nil
}

func newSession(id byte, offer zrtp.Offer) (*zrtp.Session, error) {
	return zrtp.New(zrtp.Config{
		Rand: rand.Reader, ZID: wire.ZID{id}, SSRC: uint32(id), ClientID: "Sotto bench", Policy: zrtp.Policy{Offer: offer},
	})
}

// handshake plays both sides until both are secure. Time passes only when
// nothing is on its way.
func (p *pair) handshake() error {
	p.a.Start(p.now)
	p.b.Start(p.now)
	for p.a.secured == nil || p.b.secured == nil {
		there, back := p.carry(&p.a, &p.b), p.carry(&p.b, &p.a)
		if err := errors.Join(p.a.err, p.b.err); err != nil {
			return err
		}
		if !there && !back && !p.wait() {
			return errors.New("the handshake stands still")
		}
	}
	return nil
}

// carry takes one packet over; false: there was none.
func (p *pair) carry(from, to *end) bool {
	packet, ok := from.AppendPacket(nil)
	from.drain()
	if !ok {
		return false
	}
	p.packets++
	p.bytes += len(packet)
	if err := to.HandlePacket(p.now, packet); err != nil {
		to.err = err
	}
	to.drain()
	return true
}

// wait lets time pass until a timer is due; false: none is running.
func (p *pair) wait() bool {
	next := p.a.Deadline()
	if d := p.b.Deadline(); next.IsZero() || !d.IsZero() && d.Before(next) {
		next = d
	}
	if next.IsZero() {
		return false
	}
	p.now = next
	p.a.HandleTimeout(p.now)
	p.b.HandleTimeout(p.now)
	return true
}

func (e *end) drain() {
	for event := e.NextEvent(); event != nil; event = e.NextEvent() {
		switch event := event.(type) {
		case zrtp.KeysReady:
			event.Send.Wipe()
			event.Receive.Wipe()
		case zrtp.Secured:
			e.secured = &event
		case zrtp.Failed:
			e.err = fmt.Errorf("failed: %v, %w", event.Code, event.Err)
		}
	}
}

// check demands that both sides agree on the suite that was to be measured.
func (p *pair) check(s suite) error {
	want := zrtp.Suite{
		Hash: wire.A(s.hash), Cipher: wire.A(s.cipher), AuthTag: wire.A("HS80"),
		KeyAgreement: wire.A(s.agreement), SAS: wire.A("B32"),
	}
	a, b := p.a.secured, p.b.secured
	if a.Suite != want || b.Suite != want || a.SAS != b.SAS {
		return fmt.Errorf("agreed %s %s and %s %s", a.Suite, a.SAS, b.Suite, b.SAS)
	}
	return nil
}

// measureHalfOpen makes n Sessions with the default offer that have received a
// Hello and have sent their Commit. Each keeps a datagram of its own, as it
// does behind a socket.
func measureHalfOpen(n int) (row, error) {
	peer, err := newSession(2, zrtp.Offer{})
	if err != nil {
		return row{}, err
	}
	defer peer.Close()
	peer.Start(epoch)
	hello, _ := peer.AppendPacket(nil)
	sessions := make([]*zrtp.Session, n)
	before, start := heap(), cpu()
	for i := range sessions {
		if sessions[i], err = halfOpen(hello); err != nil {
			return row{}, err
		}
	}
	spent := cpu() - start
	r := row{
		Suite: "half-open", Sessions: n, OursMS: float64(spent) / float64(n) / 1e6,
		MemoryMB: float64(heap()-before) / 1e6,
	}
	for _, s := range sessions {
		s.Close()
	}
	return r, nil
}

func halfOpen(hello []byte) (*zrtp.Session, error) {
	s, err := newSession(1, zrtp.Offer{})
	if err != nil {
		return nil, err
	}
	s.Start(epoch)
	if err := s.HandlePacket(epoch, append([]byte(nil), hello...)); err != nil {
		return nil, err
	}
	for ok := true; ok; {
		_, ok = s.AppendPacket(nil)
	}
	_ = s.NextEvent() // PeerFound, the only one
	if s.State() != zrtp.CommitSent {
		return nil, fmt.Errorf("half-open in state %s", s.State())
	}
	return s, nil
}

// cpu is the processor time this process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// heap is the memory of all objects that are in use, in bytes, right
// after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
