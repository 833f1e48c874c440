package zrtp

import (
	"bytes"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

func TestAdversary_D1_Reflection(t *testing.T) {
	p := initiatedByA(t)
	p.a.Start(p.now)
	pkt, _ := p.a.AppendPacket(nil)
	if err := p.a.HandlePacket(p.now, pkt); err != nil {
		t.Fatal(err)
	}
	p.a.HandleTimeout(p.now.Add(stepRhythm.longest)) // until then the peer's own may come
	p.a.drain(p.now, p.ab)
	p.a.mustFail(t, wire.ErrorEqualZIDs)
}

func TestAdversary_D1_Replay(t *testing.T) {
	// Everything b said in one call is played to a in the next.
	var old [][]byte
	p := initiatedByA(t)
	p.b.onSend = func(pkt []byte) []byte { old = append(old, bytes.Clone(pkt)); return pkt }
	p.mustSecure()
	fresh, err := New(configA(99))
	if err != nil {
		t.Fatal(err)
	}
	fresh.Start(epoch)
	for range 3 {
		for _, pkt := range old {
			_ = fresh.HandlePacket(epoch, pkt) // any verdict will do, but no keys
		}
	}
	for ev := fresh.NextEvent(); ev != nil; ev = fresh.NextEvent() {
		switch ev.(type) {
		case KeysReady, Secured:
			t.Fatalf("a replayed call gave %T", ev)
		}
	}
}

func TestAdversary_D1_EverythingTwice(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{Duplicate: 1, Delay: time.Millisecond})
	p.mustSecure()
	for _, e := range []*end{p.a, p.b} {
		if e.failed != nil {
			t.Error(e.failed)
		}
	}
}

func TestAdversary_D2_OneReplyAPacket(t *testing.T) {
	for state := Idle; state <= Closed; state++ {
		for _, m := range handshakeMessages(t) {
			s := sessionIn(t, state)
			_ = s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xb, Message: m}))
			if len(s.out) > 1 {
				mt, _ := wire.MessageType(m)
				t.Errorf("%d replies to one %s in %s", len(s.out), mt, state)
			}
		}
	}
}

func TestAdversary_D3_BadConfirm(t *testing.T) {
	for name, at := range map[string]int{"MAC": 12, "ciphertext": 12 + 8 + 16} {
		p := initiatedByA(t)
		p.b.onSend = rewrite(t, wire.TypeConfirm1, func(m []byte) []byte { m[at] ^= 1; return m })
		p.run()
		p.a.mustFail(t, wire.ErrorConfirmMAC)
		p = initiatedByA(t)
		p.a.onSend = rewrite(t, wire.TypeConfirm2, func(m []byte) []byte { m[at] ^= 1; return m })
		p.run()
		p.b.mustFail(t, wire.ErrorConfirmMAC)
		if p.a.send != nil {
			t.Errorf("%s: the initiator may send to a responder that refused", name)
		}
	}
}

func TestAdversary_D3_BrokenChain(t *testing.T) {
	// A forged message whose hash image proves nothing is dropped; the
	// call goes on with the true one.
	for _, mt := range []wire.Type{wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2} {
		p := initiatedByA(t)
		forge := func(to *end, link func() *netsim.Link) func([]byte) []byte {
			return func(pkt []byte) []byte {
				if is(pkt, mt) {
					w, _ := wire.ParsePacket(bytes.Clone(pkt))
					w.Message[12] ^= 1 // H2 or H1
					link().Send(p.now, wire.AppendPacket(nil, w))
				}
				return pkt
			}
		}
		p.a.onSend = forge(p.b, func() *netsim.Link { return p.ab })
		p.b.onSend = forge(p.a, func() *netsim.Link { return p.ba })
		p.mustSecure()
	}
}

func TestAdversary_D4_Injection(t *testing.T) {
	e := wire.Error{Code: wire.ErrorTimeout}
	g := wire.GoClear{ClearMAC: [8]byte{1}}
	forged := [][]byte{
		e.Append(nil), g.Append(nil),
		wire.AppendACK(nil, wire.TypeConf2ACK), wire.AppendACK(nil, wire.TypeErrorACK),
		wire.AppendACK(nil, wire.TypeClearACK), wire.AppendACK(nil, wire.TypeRelayACK),
	}
	// Before the peer has spoken nothing but a Hello counts; after the
	// secure state nothing counts.
	for _, state := range []State{Discovery, Secure} {
		for _, m := range forged {
			s := sessionIn(t, state)
			if err := s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: 0xb, Message: m})); err == nil {
				mt, _ := wire.MessageType(m)
				t.Errorf("%s in %s is believed", mt, state)
			}
			if s.State() != state || s.NextEvent() != nil || len(s.out) != 0 {
				t.Errorf("injected %q in %s had an effect", m[4:12], state)
			}
		}
	}
	// Another stream's packets never count.
	s := sessionIn(t, CommitSent)
	if err := s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: 0xc, Message: forged[0]})); err == nil {
		t.Error("a packet of another stream is believed")
	}
}

func TestAdversary_D7_CommitsToWhatWasNotOffered(t *testing.T) {
	for i, want := range unsupported {
		a, b := configA(1), configB(1)
		b.Passive = true
		narrow := [5]string{"S256", "AES1", "HS80", "X255", "B32"}
		other := [5]string{"S384", "AES3", "HS32", "EC25", "B256"}
		list := b.Policy.Offer.lists()[i]
		*list = algos(narrow[i])
		a.Policy.Offer = DefaultOffer()
		*a.Policy.Offer.lists()[i] = algos(other[i], narrow[i])
		p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
		// The attacker makes the initiator believe in a richer offer.
		p.b.onSend = rewrite(t, wire.TypeHello, func(m []byte) []byte {
			return bytes.Replace(m, name(narrow[i]), name(other[i]), 1)
		})
		p.run()
		p.b.mustFail(t, want)
	}
}
