package zrtp

import (
	"runtime"
	"testing"
	"time"

	"sotto/zrtp/wire"
)

// zeroRand gives zeros: Sessions that are to be many need no different keys.
type zeroRand struct{}

func (zeroRand) Read(b []byte) (int, error) {
	clear(b)
	b[0] = 1 // for exponents
	return len(b), nil
}

// halfOpen is a Session with that key agreement that has come to a state and
// waits there for a peer of which it has got these packets. Drained.
func halfOpen(t *testing.T, agreement string, at State, packets [][]byte) *Session {
	t.Helper()
	cfg := configA(1)
	cfg.Rand, cfg.Passive = zeroRand{}, at == DHPart1Sent
	cfg.Policy.Offer.KeyAgreements = algos(agreement)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(epoch)
	for _, pkt := range packets {
		if err := s.HandlePacket(epoch, pkt); err != nil {
			t.Fatal(err)
		}
	}
	drained(s)
	if s.State() != at {
		t.Fatalf("in %s, not in %s", s.State(), at)
	}
	return s
}

// drained gives what s wants to send.
func drained(s *Session) (packets [][]byte) {
	for pkt, ok := s.AppendPacket(nil); ok; pkt, ok = s.AppendPacket(nil) {
		packets = append(packets, pkt)
	}
	for s.NextEvent() != nil {
	}
	return packets
}

// fromStranger is what a peer sends before it has proven anything: a Hello, and
// a Commit to bring us to DHPart1Sent.
func fromStranger(t *testing.T, agreement string, at State) [][]byte {
	t.Helper()
	if at == Discovery {
		return nil
	}
	cfg := configB(1)
	cfg.Policy.Offer.KeyAgreements = algos(agreement)
	peer, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	peer.Start(epoch)
	packets := drained(peer)
	if at == CommitSent {
		return packets
	}
	us := halfOpen(t, agreement, Discovery, nil)
	us.hello.begin(epoch, us.ours.hello, helloRhythm)
	us.send(us.ours.hello)
	for _, pkt := range drained(us) {
		if err := peer.HandlePacket(epoch, pkt); err != nil {
			t.Fatal(err)
		}
	}
	return append(packets, drained(peer)...)
}

// Bounds of the package documentation: what a Session holds, once drained.
func TestBoundsOfMemory(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		agreement string
		at        State
		most      int // bytes
	}{
		{"X3M3", Discovery, 1600},
		{"X255", CommitSent, 2200},
		{"X3M3", CommitSent, 4000},
		{"X255", DHPart1Sent, 2200},
		{"X3M3", DHPart1Sent, 5600},
	} {
		all := make([]*Session, n)
		packets := fromStranger(t, c.agreement, c.at)
		heap() // what other tests have left is gone after two collections
		before := heap()
		for i := range all {
			all[i] = halfOpen(t, c.agreement, c.at, packets)
		}
		held := (heap() - before) / n
		runtime.KeepAlive(all)
		t.Logf("%s in %s: %d bytes", c.agreement, c.at, held)
		if held > c.most {
			t.Errorf("%s in %s: a Session holds %d bytes, more than %d", c.agreement, c.at, held, c.most)
		}
	}
}

// Nothing that arrives makes a Session hold more than this, though its owner
// does not drain it.
func TestBoundsOfQueues(t *testing.T) {
	messages := handshakeMessages(t)
	for state := Idle; state <= Closed; state++ {
		s := sessionIn(t, state)
		now := epoch
		for i := range 5000 {
			m := messages[i%len(messages)]
			_ = s.HandlePacket(now, wire.AppendPacket(nil, wire.Packet{Seq: uint16(i), SSRC: 0xb, Message: m})) // dropped or not
			if i%100 == 0 {
				now = now.Add(time.Second)
			}
			s.HandleTimeout(now)
		}
		if len(s.out) > maxQueued || len(s.events) > 8 {
			t.Errorf("%s: %d messages and %d events wait", state, len(s.out), len(s.events))
		}
	}
}
