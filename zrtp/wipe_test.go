package zrtp

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// wiping is one kind of handshake, played again and again with the same bytes.
type wiping struct {
	passive   byte // 'a' or 'b' only responds; 0: both commit
	agreement string
}

// pair gives two fresh sides that share every secret they can.
func (w wiping) pair(t *testing.T) *pair {
	a, b := configA(1), configB(1)
	if w.agreement == "Mult" {
		first := newPair(t, configA(2), configB(2), netsim.Config{})
		first.mustSecure()
		a.First, b.First = first.a.Session, first.b.Session
	}
	a.Passive, b.Passive = w.passive == 'a', w.passive == 'b'
	for i, c := range []*Config{&a, &b} {
		c.Policy.AllowClear = true
		store := newMemoryStore()
		other := []wire.ZID{zidB, zidA}[i]
		store.records[other] = Record{RS1: seededSecret(1), RS2: seededSecret(2), PBXSecret: seededSecret(3), Verified: true}
		c.Rand, c.Store, c.AuxSecret = &recordingRand{Reader: c.Rand}, store, seededSecret(4)
		if w.agreement == "Prsh" {
			c.Policy.Offer.KeyAgreements = algos("Prsh", "X255")
		} else if w.agreement != "Mult" {
			c.Policy.Offer.KeyAgreements = algos(w.agreement)
		}
	}
	return newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
}

// seededSecret is a secret of 32 bytes.
func seededSecret(seed uint64) *secret.Bytes {
	b := make([]byte, 32)
	_, _ = seededRand(1000 + seed).Read(b) // never fails
	return secret.From(b)
}

// play runs the handshake, calling look for both sides after all that could
// change a Session, and before its owner has drained it, too.
func (w wiping) play(t *testing.T, p *pair, look func(*end)) {
	t.Helper()
	for _, e := range []*end{p.a, p.b} {
		e.onTaken = func(State, []byte) { look(e) }
		look(e)
	}
	p.a.Start(p.now)
	p.b.Start(p.now)
	both := func() {
		look(p.a)
		look(p.b)
	}
	both()
	p.drain()
	for both(); p.step(); both() {
	}
}

// learned is what a whole handshake has shown.
type learned struct {
	secrets windows
	states  [2][]State // that a and b went through
}

func (w wiping) learn(t *testing.T) learned {
	t.Helper()
	p := w.pair(t)
	l := learned{secrets: windows{}}
	m := newMemory()
	var result []byte
	var sent [][]byte
	for _, e := range []*end{p.a, p.b} {
		e.onSend = func(pkt []byte) []byte {
			sent = append(sent, pkt)
			return pkt
		}
	}
	w.play(t, p, func(e *end) {
		sent = append(sent, e.ours.dhPart) // as good as sent, though its Commit may lose
		m.visit(e.Session)
		for s := range m.secrets {
			l.secrets.add("a secret that the Session held", s.Reveal())
		}
		l.secrets.add("H0", e.chain.h[0][:])
		if e.keys != nil {
			l.secrets.add("sashash", e.keys.sashash[:])
		}
		i, other := 0, p.b
		if e == p.b {
			i, other = 1, p.a
		}
		if e.State() == DHPart1Sent && result == nil {
			result = resultOf(t, other.Session, e.ours.dhPart)
		}
		if n := len(l.states[i]); n == 0 || l.states[i][n-1] != e.State() {
			l.states[i] = append(l.states[i], e.State())
		}
	})
	if p.a.secured == nil || p.b.secured == nil || p.a.suite.KeyAgreement != wire.A(w.agreement) {
		t.Fatalf("%s is not secure: a %+v, b %+v", p.a.suite, p.a.failed, p.b.failed)
	}
	l.secrets.add("DHResult", result)
	l.secrets.add("s0", s0Of(t, p, result, l.secrets).Reveal())
	for _, e := range []*end{p.a, p.b} {
		for i, b := range e.cfg.Rand.(*recordingRand).given {
			if len(b) == kemNonceLen {
				continue // an IV or a nonce, sent or dropped with a Commit that has lost
			}
			l.secrets.add(fmt.Sprintf("randomness %d, of %d bytes,", i, len(b)), b)
		}
	}
	for _, pkt := range sent {
		l.secrets.removePublic(pkt)
	}
	return l
}

// resultOf is what the initiator will agree upon when it gets a DHPart1.
func resultOf(t *testing.T, initiator *Session, dhPart1 []byte) []byte {
	t.Helper()
	part, err := wire.ParseDHPart(dhPart1)
	if err != nil {
		t.Fatal(err)
	}
	result, err := initiator.agreement.result(part.PV)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// s0Of computes s0 anew, and checks that it is the one: the keys that follow
// from it are known.
func s0Of(t *testing.T, p *pair, result []byte, known windows) *secret.Bytes {
	t.Helper()
	i := p.a.Session
	if i.role == Responder {
		i = p.b.Session
	}
	hashOf, context := newHash(i.suite.Hash), i.context()
	all := shared{s1: seededSecret(1), s2: seededSecret(4), s3: seededSecret(3)}
	var s0 *secret.Bytes
	switch i.suite.KeyAgreement {
	case wire.Multistream:
		first := newPair(t, configA(2), configB(2), netsim.Config{})
		first.mustSecure()
		s0 = newKDF(hashOf, first.a.keys.zrtpSess, context).secret("ZRTP MSK", 8*hashOf().Size())
	case wire.Preshared:
		s0 = newKDF(hashOf, presharedKey(hashOf, all), context).secret("ZRTP PSK", 8*hashOf().Size())
	default:
		s0 = deriveS0(hashOf, bytes.Clone(result), context, all)
	}
	keys := newKDF(hashOf, s0, context).sessionKeys(i.suite)
	if known[window(keys.srtp[0].Reveal())] == "" {
		t.Fatal("s0 is another one")
	}
	return s0
}

// endings are the ways in which a Session ends.
var endings = map[string]func(e *end, now time.Time){
	"Close": (*end).closeNow,
	"failure": func(e *end, now time.Time) {
		e.fail(now, wire.ErrorSoftware, errStore)
	},
	"Close while going clear": func(e *end, now time.Time) {
		_ = e.GoClear(now) // refused until secure
		e.Close()
	},
	// Where the peer's word is not believed, the owner ends it.
	"the peer's Error": func(e *end, now time.Time) {
		told := wire.Error{Code: wire.ErrorSoftware}
		pkt := wire.AppendPacket(nil, wire.Packet{SSRC: e.peer.ssrc, Message: told.Append(nil)})
		if e.HandlePacket(now, pkt) != nil {
			e.Close()
		}
		e.HandleTimeout(now.Add(stepRhythm.longest)) // when nothing has belied it
	},
}

// stop is where and how one side ends.
type stop struct {
	side   int
	in     State
	ending func(*end, time.Time)
}

// endIn gives the secrets that were there before one side ended, and those
// that are left in all the memory that it ever could reach.
func (w wiping) endIn(t *testing.T, l learned, at stop) (before, after []string) {
	t.Helper()
	p := w.pair(t)
	e := []*end{p.a, p.b}[at.side]
	m, over := newMemory(), false
	w.play(t, p, func(other *end) {
		if other != e || over {
			return
		}
		m.visit(e.Session)
		if e.State() == at.in {
			before, over = l.secrets.found(m), true
			at.ending(e, p.now)
			m.visit(e.Session)
		}
	})
	if !over || e.State() < ErrorSent {
		t.Fatalf("not ended in %s, but in %s", at.in, e.State())
	}
	m.visit(e.Session)
	e.send.Wipe() // what was handed over is the owner's
	e.recv.Wipe()
	return before, l.secrets.found(m)
}

// After every way to end, in every state and role, none of the secrets of a
// handshake stands in any memory that the Session could ever reach.
func TestWipedInEveryState(t *testing.T) {
	for _, agreement := range []string{"X255", "X1M1", "Prsh", "Mult"} {
		for name, passive := range map[string]byte{"a commits": 'b', "b commits": 'a', "both commit": 0} {
			w := wiping{passive: passive, agreement: agreement}
			l := w.learn(t)
			for ending, end := range endings {
				for side := range l.states {
					t.Run(fmt.Sprintf("%s/%s/%s/side %d", agreement, name, ending, side), func(t *testing.T) {
						w.endInEach(t, l, side, end)
					})
				}
			}
		}
	}
}

// The same for every key agreement, whose keys lie in memory in as many ways.
func TestWipedKeyAgreements(t *testing.T) {
	for _, agreement := range builtIn().KeyAgreements {
		t.Run(agreement.String(), func(t *testing.T) {
			w := wiping{passive: 'b', agreement: agreement.String()}
			l := w.learn(t)
			for side := range l.states {
				w.endInEach(t, l, side, (*end).closeNow)
			}
		})
	}
}

func (e *end) closeNow(time.Time) { e.Close() }

// endInEach ends one side in each state that it goes through.
func (w wiping) endInEach(t *testing.T, l learned, side int, ending func(*end, time.Time)) {
	t.Helper()
	for _, at := range l.states[side] {
		before, after := w.endIn(t, l, stop{side, at, ending})
		if len(before) == 0 {
			t.Errorf("in %s: no secret was found even before", at)
		}
		if len(after) > 0 {
			t.Errorf("in %s: left are\n\t%s", at, strings.Join(after, "\n\t"))
		}
	}
}
