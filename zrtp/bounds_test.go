package zrtp

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"sotto/zrtp/wire"
)

// What a Session holds while its peer makes it wait, in bytes of heap: the
// figures of the package doc. Much less is as wrong as more.
func TestBoundsOfMemory(t *testing.T) {
	for _, c := range []struct {
		agreement string
		state     State
		most      int
	}{
		{"X255", Discovery, 1600}, {"X255", CommitSent, 2200}, {"X255", DHPart1Sent, 2200},
		{"X3M3", Discovery, 1600}, {"X3M3", CommitSent, 4000}, {"X3M3", DHPart1Sent, 5500},
	} {
		t.Run(fmt.Sprint(c.agreement, " ", c.state), func(t *testing.T) {
			const n = 1000
			packets, random := floodPackets(t, c.agreement), seededRand(1)
			sessions := make([]*Session, n)
			heap() // pools are emptied by the second collection
			before := heap()
			for i := range sessions {
				sessions[i] = halfOpen(t, random, c.state, packets)
			}
			each := (heap() - before) / n
			t.Logf("%d bytes", each)
			if each > c.most || each < c.most*8/10 {
				t.Errorf("%d bytes, stated are %d", each, c.most)
			}
			runtime.KeepAlive(sessions)
		})
	}
}

// floodPackets open any number of Sessions half: a Hello, and a Commit that
// wins over every other.
func floodPackets(t testing.TB, agreement string) (packets [][]byte) {
	cfg := configB(1)
	cfg.Policy.Offer.KeyAgreements = algos(agreement)
	attacker := newEnd(t, cfg)
	take := func() {
		for pkt, ok := attacker.AppendPacket(nil); ok; pkt, ok = attacker.AppendPacket(nil) {
			packets = append(packets, pkt)
		}
	}
	attacker.Start(epoch)
	take()
	victim := newEnd(t, Config{Rand: seededRand(2), ZID: zidA, SSRC: 0xa})
	victim.Start(epoch)
	hello, _ := victim.AppendPacket(nil)
	if err := attacker.HandlePacket(epoch, hello); err != nil {
		t.Fatal(err)
	}
	commit, err := wire.ParseCommit(attacker.ours.commit)
	if err != nil {
		t.Fatal(err)
	}
	commit.HVI = [32]byte(bytes.Repeat([]byte{0xff}, 32))
	attacker.out[0].msg = attacker.recommit(commit)
	take()
	return packets
}

// halfOpen is a Session with the default offer that has been given as many of
// the packets as lead to the state, each in a datagram of its own, as from a
// socket.
func halfOpen(t testing.TB, random io.Reader, state State, packets [][]byte) *Session {
	s, err := New(Config{Rand: random, ZID: zidA, SSRC: 0xa, ClientID: "test A"})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(epoch)
	drain(s)
	for _, pkt := range packets {
		if s.State() == state {
			break
		}
		if err := s.HandlePacket(epoch, bytes.Clone(pkt)); err != nil {
			t.Fatal(err)
		}
		drain(s)
	}
	if s.State() != state {
		t.Fatalf("in %s", s.State())
	}
	return s
}

// drain throws away what a Session has to say.
func drain(s *Session) {
	for ok := true; ok; {
		_, ok = s.AppendPacket(nil)
	}
	for s.NextEvent() != nil {
	}
}

// Parts of a message that never becomes whole, the longest that there are.
func TestBoundsOfFragments(t *testing.T) {
	const n, most = 1000, 3000
	assemblers := make([]wire.Assembler, n)
	before := heap()
	for i := range assemblers {
		for id := range uint16(10) {
			assemblers[i].Add(wire.Packet{
				Message:  make([]byte, 4),
				Fragment: wire.Fragment{ID: id, Total: wire.MaxMessageLen / 4, Offset: id},
			})
		}
	}
	each := (heap() - before) / n
	t.Logf("%d bytes", each)
	if each > most || each < wire.MaxMessageLen {
		t.Errorf("%d bytes, stated are %d", each, most)
	}
	runtime.KeepAlive(assemblers)
	if wire.MaxMessageLen > 2*(maxPacketLen-wire.FragmentOverhead) {
		t.Error("the longest message takes more than two packets")
	}
}

// An owner that does not drain holds maxQueued messages and 8 events,
// whatever comes and however long it takes; once it drains, the handshake goes on
// from the next repetition.
func TestBoundsOfQueues(t *testing.T) {
	messages := handshakeMessages(t)
	full := false
	for state := Discovery; state <= Closed; state++ {
		s, now := sessionIn(t, state), epoch
		for i := range 1000 {
			ping := wire.Ping{Version: version, EndpointHash: [8]byte{byte(i), byte(i >> 8)}}
			_ = s.HandlePacket(now, packetFrom(uint32(i), ping.Append(nil)))
			for _, m := range messages {
				_ = s.HandlePacket(now, packetFrom(0xb, m))
			}
			s.HandleTimeout(now)
			now = now.Add(20 * time.Millisecond)
		}
		if len(s.out) > maxQueued || len(s.events) > 8 {
			t.Errorf("%s: %d messages and %d events wait", state, len(s.out), len(s.events))
		}
		full = full || len(s.out) == maxQueued
	}
	if !full {
		t.Error("nothing came near the bound")
	}
	p := initiatedByA(t)
	p.start()
	for i := range uint32(100) {
		ping := wire.Ping{Version: version}
		for _, e := range []*end{p.a, p.b} {
			if err := e.HandlePacket(p.now, packetFrom(i, ping.Append(nil))); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.drain()
	p.settle()
	p.mustAgree()
}
