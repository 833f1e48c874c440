package zrtp

import (
	"bytes"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

func withStores(storeA, storeB *memoryStore, seed uint64) (Config, Config) {
	a, b := configA(seed), configB(seed)
	a.Store, b.Store = storeA, storeB
	return a, b
}

// lie makes every record claim that its user compared the SAS: an attacker
// sets the V flag as she likes.
func (m *memoryStore) lie() {
	for zid, r := range m.records {
		r.Verified = true
		m.records[zid] = r
	}
}

// An attacker was in the middle of the first call, which nobody compared. The
// second is direct: alarm, the users compare, all is well. In the third she is
// back with the secret of the first.
func TestAdversary_E1_FormerManInTheMiddle(t *testing.T) {
	storeA, storeB, attacker := newMemoryStore(), newMemoryStore(), newMemoryStore()
	a, m := withStores(storeA, attacker, 1) // she shows B's ZID
	newPair(t, a, m, netsim.Config{}).mustSecure()
	a, b := withStores(storeA, storeB, 2)
	p := newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if !p.a.secured.CacheMismatch {
		t.Fatal("no alarm when she leaves")
	}
	for _, e := range []*end{p.a, p.b} {
		if err := e.SetVerified(true); err != nil {
			t.Fatal(err)
		}
	}
	attacker.lie()
	a, m = withStores(storeA, attacker, 3)
	p = newPair(t, a, m, netsim.Config{})
	p.mustSecure()
	if s := p.a.secured; s.Verified || s.Continued || !s.CacheMismatch {
		t.Errorf("she is back: verified %v, continued %v, alarm %v", s.Verified, s.Continued, s.CacheMismatch)
	}
}

// The attacker's handshake begins before the peer's first call and ends after
// it: it neither displaces the peer's secret nor earns its verification.
func TestAdversary_E1_StretchedHandshake(t *testing.T) {
	storeA, storeB, attacker := newMemoryStore(), newMemoryStore(), newMemoryStore()
	a, m := withStores(storeA, attacker, 1)
	m.Passive = true
	slow := newPair(t, a, m, netsim.Config{Delay: time.Millisecond})
	slow.a.Start(slow.now)
	slow.b.Start(slow.now)
	slow.drain()
	for slow.a.State() != DHPart2Sent && slow.step() {
	}
	a, b := withStores(storeA, storeB, 2)
	honest := newPair(t, a, b, netsim.Config{})
	honest.mustSecure()
	before := cloneRecord(storeA.records[zidB])
	for slow.step() {
	}
	if s := slow.a.secured; s == nil || !s.CacheMismatch || s.Continued || s.Verified {
		t.Errorf("no alarm for the call that came too late: %+v", s)
	}
	if !storeA.records[zidB].RS1.Equal(before.RS1) {
		t.Error("the peer's secret was displaced")
	}
	if err := honest.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	attacker.lie()
	a, m = withStores(storeA, attacker, 3)
	p := newPair(t, a, m, netsim.Config{})
	p.mustSecure()
	if p.a.secured.Verified {
		t.Error("the SAS was compared with the peer, and the attacker is verified")
	}
}

// What the user says counts for the call in which it was said.
func TestVerifiedIsThisCallsSecret(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	a, b := withStores(storeA, storeB, 1)
	first := newPair(t, a, b, netsim.Config{})
	first.mustSecure()
	a, b = withStores(storeA, storeB, 2)
	second := newPair(t, a, b, netsim.Config{})
	second.mustSecure()
	if err := first.a.SetVerified(false); err != nil {
		t.Fatal(err)
	}
	if err := first.a.SetVerified(true); err == nil {
		t.Error("a SAS that was different is the same now")
	}
	if r := storeA.records[zidB]; r.RS1.Len() != 0 || r.Verified {
		t.Errorf("kept after a different SAS: %+v", r)
	}
}

func TestExpiredSecretLendsNothing(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	k1, k2 := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	storeA.records[zidB] = Record{
		RS1: secret.Copy(k1), RS1Expiry: epoch.Add(-time.Hour), RS2: secret.Copy(k2), Verified: true,
	}
	storeB.records[zidA] = Record{RS1: secret.Copy(k2), Verified: true}
	a, b := withStores(storeA, storeB, 1)
	p := newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if p.a.secured.Verified || storeA.records[zidB].Verified {
		t.Errorf("told verified %v, stored %v", p.a.secured.Verified, storeA.records[zidB].Verified)
	}
	// Nor does a flag without any secret.
	storeA.records[zidB], storeB.records[zidA] = Record{Verified: true}, Record{}
	a, b = withStores(storeA, storeB, 2)
	newPair(t, a, b, netsim.Config{}).mustSecure()
	if r := storeA.records[zidB]; r.RS1.Len() == 0 || r.Verified {
		t.Errorf("verified %v without a lineage", r.Verified)
	}
}

// s1 to s3 go into s0 and are gone (RFC 6189 §4.4.1.4).
func TestSharedSecretsAreWipedAfterS0(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	a, b := withStores(storeA, storeB, 1)
	newPair(t, a, b, netsim.Config{}).mustSecure()
	a, b = withStores(storeA, storeB, 2)
	b.Passive = true
	a.AuxSecret = secret.Copy([]byte("aux"))
	p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
	p.a.Start(p.now)
	p.b.Start(p.now)
	p.drain()
	loaded := []*secret.Bytes{p.a.retained.aux}
	for p.a.State() != DHPart2Sent && p.step() {
		loaded = append(loaded, p.a.retained.record.RS1)
	}
	for _, s := range loaded {
		if s.Len() != 0 {
			t.Error("s0 is computed, and what went into it is still there")
		}
	}
}

// The initiator's rs1 goes before its rs2 on both sides (RFC 6189 §4.3).
func TestInitiatorsNewestSecretWins(t *testing.T) {
	k1, k2 := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	storeA, storeB := newMemoryStore(), newMemoryStore()
	storeA.records[zidB] = Record{RS1: secret.Copy(k1), RS2: secret.Copy(k2)}
	storeB.records[zidA] = Record{RS1: secret.Copy(k2), RS2: secret.Copy(k1)}
	for _, passive := range []string{"a", "b"} {
		a, b := withStores(storeA, storeB, 1)
		a.Passive, b.Passive = passive == "a", passive == "b"
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		if !p.a.secured.Continued || !p.b.secured.Continued {
			t.Error("nothing in common was found")
		}
		storeA.records[zidB] = Record{RS1: secret.Copy(k1), RS2: secret.Copy(k2)}
		storeB.records[zidA] = Record{RS1: secret.Copy(k2), RS2: secret.Copy(k1)}
	}
	for _, own := range []Role{Initiator, Responder} {
		r := retained{record: Record{RS1: secret.Copy(k1), RS2: secret.Copy(k2)}}
		ids := r.idsOf(newHash(wire.A("S256")), Initiator, [32]byte{})
		crossed := secretIDs{rs1: ids.rs2, rs2: ids.rs1}
		want := k1 // ours first, when we are the initiator
		if own == Responder {
			want = k2 // the initiator's first
		}
		if got := r.match(own, ids, crossed); !bytes.Equal(got.s1.Reveal(), want) {
			t.Errorf("%s: s1 is %x", own, got.s1.Reveal()[:1])
		}
	}
}

// The initiator dies after Confirm2, before the Conf2ACK: the responder has
// stored the new secret and the initiator has not. The next call goes on
// through rs2 (RFC 6189 §4.6.1), however often this happens in a row, whoever
// died, and with it what else the record holds.
func TestAdversary_E5_CrashBeforeConf2ACK(t *testing.T) {
	for _, dying := range []string{"aaaa", "bbbb", "abab", "abba", "a", "b"} {
		storeA, storeB := newMemoryStore(), newMemoryStore()
		pbx := bytes.Repeat([]byte{9}, 32)
		storeA.records[zidB] = Record{Name: "Bob", PBXSecret: secret.Copy(pbx)}
		storeB.records[zidA] = Record{Name: "Alice"}
		seed := uint64(0)
		call := func() *pair {
			seed++
			a, b := withStores(storeA, storeB, seed)
			return newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
		}
		p := call()
		p.mustSecure()
		for _, e := range []*end{p.a, p.b} {
			if err := e.SetVerified(true); err != nil {
				t.Fatal(err)
			}
		}
		for n, who := range dying {
			p := call()
			dies, stays := p.a, p.b
			if who == 'b' {
				dies, stays = stays, dies
			}
			stays.cfg.Passive = true
			dies.Start(p.now)
			stays.Start(p.now)
			p.drain()
			for stays.State() != Secure && p.step() {
			}
			if dies.State() != Confirm2Sent {
				t.Fatalf("%s, crash %d: it died in %s", dying, n, dies.State())
			}
			dies.Close()
			if s := stays.secured; !s.Continued || !s.Verified || s.CacheMismatch {
				t.Fatalf("%s, crash %d: continued %v, verified %v, alarm %v", dying, n, s.Continued, s.Verified, s.CacheMismatch)
			}
			if storeA.records[zidB].RS1.Equal(storeB.records[zidA].RS1) {
				t.Fatalf("%s, crash %d: both sides stored the same", dying, n)
			}
		}
		p = call()
		p.mustSecure()
		for _, e := range []*end{p.a, p.b} {
			if s := e.secured; !s.Continued || !s.Verified || s.CacheMismatch {
				t.Errorf("%s: continued %v, verified %v, alarm %v", dying, s.Continued, s.Verified, s.CacheMismatch)
			}
		}
		a, b := storeA.records[zidB], storeB.records[zidA]
		if !a.RS1.Equal(b.RS1) || a.Name != "Bob" || b.Name != "Alice" || !bytes.Equal(a.PBXSecret.Reveal(), pbx) {
			t.Errorf("%s: the records are %+v and %+v", dying, a, b)
		}
	}
}

// Who has no secrets shows four numbers all the same, and others in every call:
// nobody learns whether two have met (RFC 6189 §4.3).
func TestAbsentSecretsAreMasked(t *testing.T) {
	seen := map[[8]byte]bool{}
	for seed := range uint64(8) {
		p := newPair(t, configA(seed), configB(seed), netsim.Config{})
		p.mustSecure()
		for _, part := range []wire.DHPart{parsed(t, p.a.ours.dhPart), parsed(t, p.b.ours.dhPart)} {
			for _, id := range [][8]byte{part.RS1ID, part.RS2ID, part.AuxSecretID, part.PBXSecretID} {
				if seen[id] || id == [8]byte{} {
					t.Fatalf("ID %x tells that there is no secret", id)
				}
				seen[id] = true
			}
		}
	}
}

func parsed(t testing.TB, msg []byte) wire.DHPart {
	t.Helper()
	part, err := wire.ParseDHPart(msg)
	if err != nil {
		t.Fatal(err)
	}
	return part
}
