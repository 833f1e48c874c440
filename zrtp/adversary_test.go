package zrtp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

func TestAdversary_A1_CommitmentBroken(t *testing.T) {
	p := initiatedByA(t)
	p.a.onSend = rewrite(t, wire.TypeDHPart2, func(m []byte) []byte { m[pvAt] ^= 1; return m })
	p.run()
	p.b.mustFail(t, wire.ErrorHVI)
	if !p.a.failed.Remote {
		t.Error("the initiator was not told")
	}
}

func TestAdversary_A1_CommitOverAnotherHello(t *testing.T) {
	// The attacker shows the initiator a weaker Hello of the responder; the
	// initiator's hvi covers what it saw (RFC 6189 §4.4.1.1).
	p := initiatedByA(t)
	p.b.onSend = rewrite(t, wire.TypeHello, func(m []byte) []byte {
		return bytes.Replace(m, []byte("S384"), []byte("S256"), 1)
	})
	p.run()
	p.a.mustFail(t, wire.ErrorHelloMismatch)
	p.b.mustFail(t, wire.ErrorHelloMismatch)

	// The attacker initiates, and the hvi covers another Hello than ours.
	p = initiatedByA(t)
	lie(t, p.a, func(l *liar) { l.hello = bytes.Replace(l.hello, []byte("S384"), []byte("S256"), 1) })
	p.run()
	p.b.mustFail(t, wire.ErrorHVI)
	if !p.a.failed.Remote || p.a.send != nil {
		t.Error("the initiator goes on")
	}
}

func TestAdversary_A1_CommitChanged(t *testing.T) {
	p := initiatedByA(t)
	p.a.onSend = rewrite(t, wire.TypeCommit, func(m []byte) []byte {
		return bytes.Replace(m, []byte("AES3"), []byte("AES1"), 1)
	})
	p.run()
	p.b.mustFail(t, wire.ErrorHVI)
}

func TestAdversary_A2_Contention(t *testing.T) {
	for seed := range uint64(50) {
		p := newPair(t, configA(seed), configB(seed), netsim.Config{Delay: time.Millisecond})
		p.mustSecure()
		if count(p.a.sent, wire.TypeCommit) != 1 || count(p.b.sent, wire.TypeCommit) != 1 {
			t.Fatal("no contention")
		}
		initiator, responder := p.a, p.b
		if p.a.secured.Role == Responder {
			initiator, responder = p.b, p.a
		}
		winner, err := wire.ParseCommit(initiator.ours.commit)
		if err != nil {
			t.Fatal(err)
		}
		if responder.ours.commit != nil {
			t.Fatal("the loser kept its Commit")
		}
		if !bytes.Equal(responder.theirs.commit, initiator.ours.commit) || winner.HVI == [32]byte{} {
			t.Fatal("the winner's Commit was not followed")
		}
	}
}

func TestAdversary_A2_LowerCommitYields(t *testing.T) {
	p := newPair(t, configA(7), configB(7), netsim.Config{Delay: time.Millisecond})
	commits := map[*end]wire.Commit{}
	for _, e := range []*end{p.a, p.b} {
		e.onSend = func(pkt []byte) []byte {
			if is(pkt, wire.TypeCommit) {
				w, _ := wire.ParsePacket(pkt)
				c, err := wire.ParseCommit(w.Message)
				if err != nil {
					t.Fatal(err)
				}
				commits[e] = c
			}
			return pkt
		}
	}
	p.mustSecure()
	ca, cb := commits[p.a].HVI, commits[p.b].HVI
	if aWins := bytes.Compare(ca[:], cb[:]) > 0; aWins != (p.a.secured.Role == Initiator) {
		t.Error("the lower hvi won")
	}
}

func TestAdversary_A2_ReflectedCommitIsNoTie(t *testing.T) {
	p := initiatedByA(t)
	var commit []byte
	p.a.onSend = func(pkt []byte) []byte {
		if is(pkt, wire.TypeCommit) {
			commit = pkt
			return nil
		}
		return pkt
	}
	p.a.Start(p.now)
	p.b.Start(p.now)
	p.drain()
	for commit == nil && p.step() {
	}
	w, err := wire.ParsePacket(commit)
	if err != nil {
		t.Fatal(err)
	}
	w.SSRC = 0xb
	if err := p.a.HandlePacket(p.now, wire.AppendPacket(nil, w)); err == nil || p.a.State() != CommitSent {
		t.Errorf("our own Commit came back and was taken: %v", err)
	}
}

// An hvi that equals ours was copied from us; it does not win.
func TestAdversary_A2_EqualHVI(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{Delay: time.Millisecond})
	p.a.onSend = func(pkt []byte) []byte {
		if is(pkt, wire.TypeHello) {
			return pkt
		}
		return nil // b does not yield
	}
	p.start()
	for p.a.State() != CommitSent && p.step() {
	}
	copied, err := wire.ParseCommit(p.a.ours.commit)
	if err != nil {
		t.Fatal(err)
	}
	copied.H2, copied.ZID = p.b.chain.h[2], zidB
	for range 3 {
		if err := p.inject(p.a, p.b, appendMAC(copied.Append(nil), p.b.chain.h[1])); err != nil {
			t.Fatal(err)
		}
		if p.a.State() != CommitSent || p.a.role != Initiator || len(p.a.out) != 0 || len(p.a.theirs.commit) != 0 {
			t.Fatalf("we follow a copy of our own Commit: %s in %s", p.a.role, p.a.State())
		}
	}
}

// A Commit that comes when everything is decided changes nothing, whether it
// has lost or won.
func TestAdversary_A2_LateCommit(t *testing.T) {
	for seed := range uint64(8) {
		for _, lateWins := range []bool{false, true} {
			p := newPair(t, configA(seed), configB(seed), netsim.Config{Delay: time.Millisecond})
			p.mustSecure()
			aWins := p.a.secured.Role == Initiator
			p = newPair(t, configA(seed), configB(seed), netsim.Config{Delay: time.Millisecond})
			late, other := p.a, p.b
			if aWins != lateWins {
				late, other = p.b, p.a
			}
			var held []byte
			late.onSend = func(pkt []byte) []byte {
				if is(pkt, wire.TypeCommit) && (held == nil || !lateWins || count(late.sent, wire.TypeCommit) < 4) {
					held = bytes.Clone(pkt)
					return nil
				}
				return pkt
			}
			p.mustSecure()
			if (late.secured.Role == Initiator) != lateWins {
				t.Fatalf("seed %d: the other Commit won", seed)
			}
			if other.mustIgnore(t, p.now, held); !lateWins && len(other.theirs.commit) != 0 {
				t.Fatal("the losing Commit is remembered")
			}
		}
	}
}

// Public values win against Preshared mode, whichever side has the higher
// number (RFC 6189 §4.2).
func TestAdversary_A2_DHAgainstPreshared(t *testing.T) {
	for seed := range uint64(12) {
		storeA, storeB := verifiedStores(t)
		p := presharedPair(t, seed+2, netsim.Config{Delay: 10 * time.Millisecond}, func(a, b *Config) {
			a.Store, b.Store = storeA, storeB
			b.Policy.Offer.KeyAgreements = algos("X255", "Prsh")
		})
		p.mustSecure()
		if count(p.a.sent, wire.TypeCommit) != 1 || count(p.b.sent, wire.TypeCommit) != 1 {
			t.Fatal("no contention")
		}
		if p.b.secured.Role != Initiator || p.a.secured.Suite.KeyAgreement != wire.A("X255") {
			t.Errorf("seed %d: b is the %s of %s", seed, p.b.secured.Role, p.a.secured.Suite)
		}
	}
}

// Of two nonces the lower yields, in Preshared and in Multistream mode.
func TestAdversary_A2_Nonces(t *testing.T) {
	for seed := range uint64(8) {
		storeA, storeB := verifiedStores(t)
		first := presharedPair(t, seed+2, netsim.Config{Delay: 10 * time.Millisecond}, func(a, b *Config) {
			a.Store, b.Store = storeA, storeB
			a.Policy.Offer.KeyAgreements = append(a.Policy.Offer.KeyAgreements, wire.Multistream)
			b.Policy.Offer.KeyAgreements = append(b.Policy.Offer.KeyAgreements, wire.Multistream)
		})
		for _, p := range []*pair{first, nil} {
			if p == nil {
				p = first.furtherStream(seed+1, netsim.Config{Delay: 10 * time.Millisecond})
			}
			nonces := map[*end][16]byte{}
			for _, e := range []*end{p.a, p.b} {
				replace(e, wire.TypeCommit, func(m []byte) []byte {
					c, err := wire.ParseCommit(m)
					if err != nil {
						t.Fatal(err)
					}
					nonces[e] = c.Nonce
					return m
				})
			}
			p.run()
			if p.a.secured == nil || p.b.secured == nil || nonces[p.a] == [16]byte{} || nonces[p.b] == [16]byte{} {
				t.Fatalf("a %+v, b %+v, nonces %v", p.a.failed, p.b.failed, nonces)
			}
			na, nb := nonces[p.a], nonces[p.b]
			if (bytes.Compare(na[:], nb[:]) > 0) != (p.a.secured.Role == Initiator) {
				t.Errorf("seed %d, %s: the lower nonce won", seed, p.a.secured.Suite.KeyAgreement)
			}
		}
	}
}

func TestAdversary_A3_EverythingFresh(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(20) {
		p := initiatedByA(t)
		p.a.cfg.Rand = seededRand(1000 + seed)
		for _, e := range []*end{p.a, p.b} {
			e.Session, _ = New(Config{
				Rand: seededRand(seed*2 + uint64(e.cfg.SSRC)), ZID: e.cfg.ZID, SSRC: e.cfg.SSRC, Passive: e.cfg.Passive,
			})
		}
		p.mustSecure()
		hvi, err := wire.ParseCommit(p.a.ours.commit)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range [][]byte{hvi.HVI[:], dhPart(t, p.a.Session).PV, dhPart(t, p.b.Session).PV} {
			if seen[string(v)] {
				t.Fatal("a value was used twice")
			}
			seen[string(v)] = true
		}
	}
}

// Secrets are gone from the Session after failure and after Close.
func TestWiped(t *testing.T) {
	for _, end := range []string{"close", "failure"} {
		a, b := configA(1), configB(1)
		a.Store, b.Store = newMemoryStore(), newMemoryStore()
		a.AuxSecret, b.AuxSecret = secret.Copy([]byte("aux")), secret.Copy([]byte("aux"))
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		s := p.a.Session
		held := []*secret.Bytes{s.keys.zrtpSess, s.keys.exported}
		if slices.ContainsFunc(held, func(b *secret.Bytes) bool { return b.Len() == 0 }) {
			t.Fatal("wiped too early")
		}
		ours, theirs := side(s.role), side(s.role.other())
		held = append(held, s.keys.mac[theirs], s.keys.confirm[theirs]) // for a SASrelay
		for _, used := range []*secret.Bytes{
			s.keys.srtp[0], s.keys.srtp[1], s.keys.salt[0], s.keys.salt[1], s.keys.mac[ours], s.keys.confirm[ours],
		} {
			if used.Len() != 0 {
				t.Error("a used key is still there")
			}
		}
		if s.retained.aux.Len() != 0 || s.chain.h[0] != [32]byte{} || s.agreement != nil {
			t.Error("what the handshake used up is still there")
		}
		if end == "close" {
			s.Close()
		} else {
			s.fail(p.now, wire.ErrorSoftware, errStore)
		}
		for _, b := range held {
			if b.Len() != 0 {
				t.Errorf("after %s a key is still there", end)
			}
		}
	}
}
