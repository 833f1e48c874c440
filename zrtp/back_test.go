package zrtp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sotto/internal/hmac"
	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// back is the stream of p, which is clear, on its way back to secure. Those who
// are passive wait for the other.
func (p *pair) back(seed uint64, aPassive, bPassive bool, network netsim.Config) *pair {
	p.t.Helper()
	a, b := configA(seed+2000), configB(seed+2000)
	a.First, b.First, a.Passive, b.Passive = p.a.Session, p.b.Session, aPassive, bPassive
	a.Policy, b.Policy = p.a.cfg.Policy, p.b.cfg.Policy
	return newPair(p.t, a, b, network)
}

// A call goes clear and comes back again and again, whoever wants it, by a
// Commit alone (RFC 6189 §4.7.2), with new keys each time.
func TestBackFromClear(t *testing.T) {
	p := clearPair(t, true, true)
	seen := map[string]bool{string(p.a.send.Key.Reveal()): true, string(p.a.recv.Key.Reveal()): true}
	now := p
	for i, wants := range [][2]bool{{true, false}, {false, true}, {true, true}, {false, true}, {true, true}} {
		now.goClear(now.a)
		now.settle()
		if now.a.State() != Clear || now.b.State() != Clear || !p.a.keys.zrtpSess.Equal(p.b.keys.zrtpSess) {
			t.Fatalf("%d: a %s, b %s", i, now.a.State(), now.b.State())
		}
		before := secret.Copy(p.a.keys.zrtpSess.Reveal())
		now = p.back(uint64(i), !wants[0], !wants[1], netsim.Config{Delay: time.Millisecond})
		now.run()
		now.mustBeFurther()
		initiator, responder := now.a, now.b
		if now.a.role == Responder {
			initiator, responder = now.b, now.a
		}
		for _, e := range []*end{now.a, now.b} {
			if count(e.sent, wire.TypeHello)+count(e.sent, wire.TypeHelloACK) > 0 || e.found > 0 {
				t.Errorf("%d: sent %v", i, e.sent)
			}
		}
		if wants != [2]bool{true, true} && (count(initiator.sent, wire.TypeCommit) != 1 || count(responder.sent, wire.TypeCommit) != 0) {
			t.Errorf("%d: sent %v and %v", i, initiator.sent, responder.sent)
		}
		checkBackKeys(t, before, responder, initiator)
		for _, k := range []*SRTPKeys{now.a.send, now.a.recv} {
			if seen[string(k.Key.Reveal())] {
				t.Errorf("%d: a key is used again", i)
			}
			seen[string(k.Key.Reveal())] = true
		}
	}
	p.a.Close()
	now.a.Close()
	if p.a.chain.h != [4][32]byte{} || now.a.chain.h != [4][32]byte{} {
		t.Error("a hash chain outlives the call")
	}
}

// checkBackKeys computes by hand the key that the initiator sends with, from the
// session key that both sides have after going clear (RFC 6189 §4.4.3.2).
func checkBackKeys(t *testing.T, zrtpSess *secret.Bytes, responder, initiator *end) {
	t.Helper()
	newHash := newHash(initiator.suite.Hash)
	bits := map[int][]byte{256: {0, 0, 1, 0}, 384: {0, 0, 1, 0x80}}
	zids := slices.Concat(initiator.cfg.ZID[:], initiator.peer.hello.ZID[:])
	total := newHash()
	total.Write(responder.ours.hello)
	total.Write(responder.theirs.commit)
	context := total.Sum(zids)
	s0 := hmac.Sum(newHash, zrtpSess.Reveal(), slices.Concat([]byte("\x00\x00\x00\x01ZRTP MSK\x00"), context, bits[384]))
	key := hmac.Sum(newHash, s0, slices.Concat([]byte("\x00\x00\x00\x01Initiator SRTP master key\x00"), context, bits[256]))[:32]
	if initiator.suite.Cipher != wire.A("AES3") || !bytes.Equal(key, initiator.send.Key.Reveal()) {
		t.Error("the keys are not those of Multistream mode from the new session key")
	}
}

// Over a bad network too both sides come back or neither is secure.
func TestBackFromClearOverABadNetwork(t *testing.T) {
	secure := 0
	for seed := range uint64(200) {
		p := clearPair(t, true, true)
		p.goClear(p.a)
		p.settle()
		wants := [][2]bool{{true, false}, {false, true}, {true, true}}[seed%3]
		again := p.back(seed, !wants[0], !wants[1], badNetwork(seed))
		again.seed = seed
		again.run()
		if again.a.secured == nil || again.b.secured == nil {
			continue
		}
		secure++
		again.mustBeFurther()
	}
	if secure < 100 {
		t.Errorf("only %d of 200 are secure again", secure)
	}
}

// Who is not the peer can't start it, nor with an old Commit of the peer's.
func TestBackFromClearForged(t *testing.T) {
	p := clearPair(t, true, true)
	p.goClear(p.a)
	p.settle()
	first := p.back(1, false, true, netsim.Config{Delay: time.Millisecond})
	first.run()
	first.mustBeFurther()
	old := bytes.Clone(first.b.theirs.commit)
	first.goClear(first.b)
	first.settle()

	waiting := p.back(2, true, true, netsim.Config{}).b
	waiting.Start(p.now)
	if !waiting.Deadline().IsZero() || len(waiting.out) != 0 {
		t.Error("who waits for the peer's wish sends something")
	}
	stranger, err := wire.ParseCommit(old)
	if err != nil {
		t.Fatal(err)
	}
	stranger.Nonce[0]++
	stranger.H2[0]++
	if err := p.inject(waiting, p.a, stranger.Append(nil)); err == nil || waiting.State() != Discovery || len(waiting.out) != 0 {
		t.Errorf("a stranger's Commit: %v, now in %s", err, waiting.State())
	}
	// Keys would come back: the exchange ends (RFC 6189 §4.4.3.1).
	if err := p.inject(waiting, p.a, old); err != nil {
		t.Fatal(err)
	}
	waiting.drain(p.now, p.ba)
	if waiting.failed == nil || waiting.send != nil || waiting.recv != nil {
		t.Errorf("the peer's old Commit: %+v, now in %s", waiting.failed, waiting.State())
	}
}

// Only a stream that is clear comes back this way, and only with First's SSRC.
func TestBackFromClearOnlyFromClear(t *testing.T) {
	p := clearPair(t, true, true)
	for i, c := range []struct {
		state State
		ssrc  uint32
		again bool
	}{{Secure, 0xa, false}, {Secure, 0xaa, false}, {Clear, 0xaa, false}, {Clear, 0xa, true}} {
		if c.state == Clear && p.a.State() == Secure {
			p.goClear(p.a)
			p.settle()
		}
		cfg := configA(uint64(i + 9))
		cfg.First, cfg.SSRC = p.a.Session, c.ssrc
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.Start(p.now)
		if again := s.state == CommitSent; again != c.again || p.a.State() != c.state {
			t.Errorf("%s, SSRC %x: now in %s", c.state, c.ssrc, s.state)
		}
	}
	if h := clearPair(t, true, false).a.chain.h; h != [4][32]byte{} {
		t.Error("a hash chain is kept for a way back that nobody will go")
	}
}

// A stream has one sequence of numbers, whichever of its Sessions sends: peers
// drop what does not rise. First still answers when GoClear comes again.
func TestBackFromClearGoesOnCounting(t *testing.T) {
	p := clearPair(t, true, true)
	last, packets := uint16(0), 0
	watch := func(pkt []byte) []byte {
		sent, err := wire.ParsePacket(pkt)
		if err != nil || sent.Seq <= last {
			t.Errorf("%d follows %d, %v", sent.Seq, last, err)
		}
		last, packets = sent.Seq, packets+1
		return pkt
	}
	p.b.onSend = watch
	for i, now := 0, p; i < 3; i++ {
		var goClear []byte
		now.a.onMessage = func(_ wire.Type, msg []byte) []byte { goClear = msg; return msg }
		now.goClear(now.a)
		now.settle()
		before := now
		now = p.back(uint64(i), false, true, netsim.Config{Delay: time.Millisecond})
		now.b.onSend = watch
		if err := before.inject(before.b, before.a, goClear); err != nil {
			t.Fatal(err)
		}
		before.drain()
		now.run()
		now.mustBeFurther()
	}
	if packets < 3*4 {
		t.Errorf("%d packets", packets)
	}
}

// On the way back the chain is an old one: who has listened can make a Commit, or
// send that of the first key agreement again. It brings neither keys nor a weaker
// agreement to anybody, and the way back stays open.
func TestBackFromClearByListener(t *testing.T) {
	p := clearPair(t, true, true)
	commit := wire.Commit{
		H2: p.a.chain.h[2], ZID: zidA, Hash: p.a.suite.Hash, Cipher: p.a.suite.Cipher,
		AuthTag: p.a.suite.AuthTag, KeyAgreement: wire.Multistream, SAS: p.a.suite.SAS,
	}
	forged := [][]byte{appendMAC(commit.Append(nil), p.a.chain.h[1]), bytes.Clone(p.b.theirs.commit)}
	p.goClear(p.a)
	p.settle()
	for i, msg := range forged {
		now := p.back(uint64(i), false, true, netsim.Config{Delay: time.Millisecond})
		now.b.Start(now.now)
		if err := now.inject(now.b, now.a, msg); err != nil || now.b.State() == Discovery {
			t.Fatalf("%d: not even looked at: %v", i, err)
		}
		now.run()
		for _, e := range []*end{now.a, now.b} {
			if e.failed == nil || e.secured != nil || e.send != nil || e.recv != nil {
				t.Errorf("%d: in %s, %+v", i, e.State(), e.failed)
			}
		}
	}
	now := p.back(2, false, true, netsim.Config{Delay: time.Millisecond})
	now.run()
	now.mustBeFurther()
}
