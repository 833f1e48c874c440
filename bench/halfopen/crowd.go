package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// crowd is a Session for each of many strangers, and what they do to it: each
// says Hello once, at the rate, and then nothing.
type crowd struct {
	strangers, rate int
	ours, theirs    *net.UDPConn // nobody reads what the strangers are sent
	ctx             context.Context
	stop            context.CancelFunc
	wg              sync.WaitGroup

	replies, waiting atomic.Int64
	err              error // why it ended early; read after close
}

func newCrowd(strangers, rate int) (*crowd, error) {
	c := &crowd{strangers: strangers, rate: rate}
	c.ctx, c.stop = context.WithCancel(context.Background())
	for _, conn := range []**net.UDPConn{&c.theirs, &c.ours} {
		var err error
		if *conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0"))); err != nil {
			_ = c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *crowd) start() {
	c.wg.Go(func() { c.err = c.serve() })
}

// serve lets the strangers come and drives all Sessions every 10 ms.
func (c *crowd) serve() error {
	hello, err := strangersHello()
	if err != nil {
		return err
	}
	var sessions []*zrtp.Session
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for {
		select {
		case <-c.ctx.Done():
			return nil
		case <-tick.C:
		}
		now, waiting := time.Now(), int64(0)
		due := min(int(now.Sub(start).Seconds()*float64(c.rate)), c.strangers)
		for len(sessions) < due {
			s, err := newSession(1)
			if err != nil {
				return err
			}
			s.Start(now)
			if err := s.HandlePacket(now, hello); err != nil {
				return err
			}
			sessions = append(sessions, s)
		}
		for _, s := range sessions {
			s.HandleTimeout(now)
			c.drain(s)
			if s.State() == zrtp.CommitSent {
				waiting++
			}
		}
		c.waiting.Store(waiting)
	}
}

// drain sends what a Session has to say over loopback.
func (c *crowd) drain(s *zrtp.Session) {
	var buf [2048]byte
	to := c.theirs.LocalAddr().(*net.UDPAddr).AddrPort()
	for pkt, ok := s.AppendPacket(buf[:0]); ok; pkt, ok = s.AppendPacket(buf[:0]) {
		c.replies.Add(1)
		_, _ = c.ours.WriteToUDPAddrPort(pkt, to) // a lost packet
	}
	for s.NextEvent() != nil {
	}
}

// strangersHello is the Hello of somebody who offers all that we do, so that
// our Commit is as large as it gets.
func strangersHello() ([]byte, error) {
	s, err := newSession(2)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.Start(time.Now())
	pkt, _ := s.AppendPacket(nil)
	return pkt, nil
}

func newSession(id byte) (*zrtp.Session, error) {
	return zrtp.New(zrtp.Config{Rand: rand.Reader, ZID: wire.ZID{id}, SSRC: uint32(id), ClientID: "Sotto bench"})
}

// describe adds what is known of the crowd to a row.
func (c *crowd) describe(r *row) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	r.HalfOpen, r.Replies, r.MemoryMB = int(c.waiting.Load()), uint64(c.replies.Load()), float64(m.HeapAlloc)/1e6
}

// close ends it and says why it had ended before.
func (c *crowd) close() error {
	c.stop()
	c.wg.Wait()
	for _, conn := range []*net.UDPConn{c.theirs, c.ours} {
		if conn != nil {
			_ = conn.Close()
		}
	}
	return c.err
}
