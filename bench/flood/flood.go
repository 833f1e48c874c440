package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// tick is how often the Sessions' timers are looked at.
const tick = 20 * time.Millisecond

// flood is an owner of Sessions behind one socket and a stranger who says Hello
// to it, with another SSRC each time. Each SSRC gets a Session of its own.
type flood struct {
	owner, stranger *net.UDPConn
	sessions        []*zrtp.Session // by the stranger's SSRC; nil: none
	packet          []byte
	hellos, replies int
	open, timedOut  int
}

func newFlood(sessions int) (*flood, error) {
	f := &flood{sessions: make([]*zrtp.Session, sessions)}
	for _, conn := range []**net.UDPConn{&f.owner, &f.stranger} {
		var err error
		if *conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, f.owner.SetReadBuffer(1 << 22)
}

func (f *flood) close() {
	for _, s := range f.sessions {
		if s != nil {
			s.Close()
		}
	}
	for _, conn := range []*net.UDPConn{f.owner, f.stranger} {
		if conn != nil {
			_ = conn.Close() // nothing follows from it
		}
	}
}

// run floods for a time d and fills in what belongs to the Sessions.
func (f *flood) run(rate int, d time.Duration, r *result) error {
	before, begin := heap(), time.Now()
	stop, sent := make(chan struct{}), make(chan error, 1)
	go func() { sent <- f.say(rate, stop) }()
	err := f.own(begin.Add(d), func() {
		r.HalfOpen, r.MemoryMB = f.halfOpen(), float64(heap()-before)/1e6
	})
	close(stop)
	if err = errors.Join(err, <-sent); err != nil {
		return err
	}
	if r.MemoryMB == 0 {
		r.HalfOpen = f.halfOpen()
	}
	r.Seconds = time.Since(begin).Seconds()
	r.HellosPerS, r.RepliesPerS, r.TimedOut = float64(f.hellos)/r.Seconds, float64(f.replies)/r.Seconds, f.timedOut
	return nil
}

// say is the stranger: rate Hellos a second, from one SSRC after the other.
func (f *flood) say(rate int, stop <-chan struct{}) error {
	s, err := newSession(0)
	if err != nil {
		return err
	}
	defer s.Close()
	s.Start(time.Now())
	first, _ := s.AppendPacket(nil)
	hello, err := wire.ParsePacket(first)
	if err != nil {
		return err
	}
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	var packet []byte
	to, begin := f.address(f.owner), time.Now()
	for n := 0; ; {
		select {
		case <-stop:
			return nil
		case now := <-pause.C:
			for ; n < int(now.Sub(begin).Seconds()*float64(rate)); n++ {
				hello.SSRC = uint32(n % len(f.sessions))
				packet = wire.AppendPacket(packet[:0], hello)
				if _, err := f.stranger.WriteToUDPAddrPort(packet, to); err != nil {
					return err
				}
			}
		}
	}
}

func (*flood) address(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// own is the Sessions' owner until a time. It calls full once, when every SSRC
// has a Session.
func (f *flood) own(until time.Time, full func()) error {
	var buf [2048]byte
	wasFull := false
	for next := time.Now(); time.Now().Before(until); {
		if now := time.Now(); !now.Before(next) {
			f.timeouts(now)
			next = time.Now().Add(tick)
			if err := f.owner.SetReadDeadline(next); err != nil {
				return err
			}
		}
		n, err := f.owner.Read(buf[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		} else if err != nil {
			return err
		}
		if err := f.take(buf[:n]); err != nil {
			return err
		}
		if !wasFull && f.open == len(f.sessions) {
			wasFull = true
			full()
		}
	}
	return nil
}

// take gives a Hello to its Session, which it opens if there is none.
func (f *flood) take(packet []byte) (err error) {
	f.hellos++
	i := binary.BigEndian.Uint32(packet[8:])
	s, now := f.sessions[i], time.Now()
	if s == nil {
		if s, err = newSession(1<<31 | i); err != nil {
			return err
		}
		f.sessions[i] = s
		f.open++
		s.Start(now)
	}
	_ = s.HandlePacket(now, packet) // dropped, if it fails
	return f.drain(i)
}

func (f *flood) timeouts(now time.Time) {
	for i, s := range f.sessions {
		if s == nil {
			continue
		}
		if due := s.Deadline(); !due.IsZero() && !now.Before(due) {
			s.HandleTimeout(now)
			_ = f.drain(uint32(i)) // what is lost is repeated
		}
	}
}

// drain sends what a Session has to say, and ends it when it has failed.
func (f *flood) drain(i uint32) error {
	s, to := f.sessions[i], f.address(f.stranger)
	for {
		var ok bool
		if f.packet, ok = s.AppendPacket(f.packet[:0]); !ok {
			break
		}
		f.replies++
		if _, err := f.owner.WriteToUDPAddrPort(f.packet, to); err != nil {
			return err
		}
	}
	for e := s.NextEvent(); e != nil; e = s.NextEvent() {
		if _, ok := e.(zrtp.Failed); ok {
			f.timedOut++
			f.open--
			s.Close()
			f.sessions[i] = nil
			return nil
		}
	}
	return nil
}

// halfOpen is how many have sent a Commit and hear nothing.
func (f *flood) halfOpen() (n int) {
	for _, s := range f.sessions {
		if s != nil && s.State() == zrtp.CommitSent {
			n++
		}
	}
	return n
}

func newSession(ssrc uint32) (*zrtp.Session, error) {
	return zrtp.New(zrtp.Config{
		Rand: rand.Reader, ZID: wire.ZID{byte(ssrc >> 24), 1}, SSRC: ssrc, ClientID: "Sotto bench",
	})
}

// heap is the memory of all objects that are in use, in bytes, right after a
// collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
