package zrtp

import (
	"bytes"
	"testing"

	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

func TestAdversary_E2_FreshZIDIsAStranger(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	a, b := configA(1), configB(1)
	a.Store, b.Store = storeA, storeB
	p := newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if err := p.b.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	a, b = configA(2), configB(2)
	a.Store, b.ZID = storeA, wire.ZID{9}
	p = newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if s := p.a.secured; s.Verified || s.Continued {
		t.Errorf("a stranger is greeted as a friend: %+v", s)
	}
}

func TestAdversary_E1_StolenZID(t *testing.T) {
	// The attacker shows the known peer's ZID without its secrets.
	storeA, storeB := newMemoryStore(), newMemoryStore()
	a, b := configA(1), configB(1)
	a.Store, b.Store = storeA, storeB
	p := newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	fake := newMemoryStore()
	fake.records[zidA] = Record{RS1: secret.Copy(bytes.Repeat([]byte{7}, 32)), Verified: true}
	a, b = configA(2), configB(2)
	a.Store, b.Store = storeA, fake
	p = newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if s := p.a.secured; !s.CacheMismatch || s.Verified || s.Continued {
		t.Errorf("no alarm: %+v", s)
	}
}

// Verified takes four things: our V flag, the peer's, and a common retained
// secret, on both sides.
func TestAdversary_E4_BothFlagsAndTheSecret(t *testing.T) {
	for _, oursV := range []bool{false, true} {
		for _, theirsV := range []bool{false, true} {
			for _, common := range []bool{false, true} {
				storeA, storeB := newMemoryStore(), newMemoryStore()
				secretB := bytes.Repeat([]byte{1}, 32)
				if !common {
					secretB[0] = 2
				}
				storeA.records[zidB] = Record{RS1: secret.Copy(bytes.Repeat([]byte{1}, 32)), Verified: oursV}
				storeB.records[zidA] = Record{RS1: secret.Copy(secretB), Verified: theirsV}
				a, b := withStores(storeA, storeB, 1)
				p := newPair(t, a, b, netsim.Config{})
				if theirsV && !common { // an attacker says so though nothing matches
					b.Passive, a.Passive = true, false
					p = newPair(t, a, b, netsim.Config{})
					p.b.onSend = reconfirm(t, p.b, wire.TypeConfirm1, func(plain []byte) { plain[35] |= 4 })
				}
				p.mustSecure()
				s, want := p.a.secured, oursV && theirsV && common
				if s.Verified != want || s.Continued != common || s.CacheMismatch == common {
					t.Errorf("V %v and %v, common %v: %+v", oursV, theirsV, common, s)
				}
				if theirsV != s.PeerFlags.Verified {
					t.Errorf("V %v arrives as %v", theirsV, s.PeerFlags.Verified)
				}
			}
		}
	}
}

// The attacker has a verified relation of her own with either side, and relays
// between them under her ZID: to each she is herself, and never the other.
func TestAdversary_E3_SharedManInTheMiddle(t *testing.T) {
	zidM := wire.ZID{1, 0xc}
	stores := map[wire.ZID]*memoryStore{zidA: newMemoryStore(), zidB: newMemoryStore()}
	hers := map[wire.ZID]*memoryStore{zidA: newMemoryStore(), zidB: newMemoryStore()}
	call := func(who wire.ZID, seed uint64) *pair {
		a, m := configA(seed), configB(seed)
		a.ZID, a.Store, m.ZID, m.Store = who, stores[who], zidM, hers[who]
		p := newPair(t, a, m, netsim.Config{})
		p.mustSecure()
		return p
	}
	for _, who := range []wire.ZID{zidA, zidB} {
		p := call(who, 1)
		if err := p.a.SetVerified(true); err != nil {
			t.Fatal(err)
		}
		if err := p.b.SetVerified(true); err != nil {
			t.Fatal(err)
		}
	}
	near, far := call(zidA, 2), call(zidB, 3)
	for _, p := range []*pair{near, far} {
		if s := p.a.secured; !s.Verified || s.PeerZID != zidM {
			t.Errorf("%+v", s)
		}
	}
	if near.a.secured.SAS == far.a.secured.SAS || !isUnknown(stores[zidA], zidB) || !isUnknown(stores[zidB], zidA) {
		t.Error("she passes for the other side")
	}
}

func isUnknown(m *memoryStore, zid wire.ZID) bool {
	_, known := m.records[zid]
	return !known
}

// The D flag comes to the owner with the keys, before they are used.
func TestAdversary_E7_DisclosureIsReported(t *testing.T) {
	for _, discloses := range []bool{false, true} {
		p := initiatedByA(t)
		disclose := func(plain []byte) {
			if discloses {
				plain[35] |= 1
			}
		}
		p.a.onSend = reconfirm(t, p.a, wire.TypeConfirm2, disclose)
		p.b.onSend = reconfirm(t, p.b, wire.TypeConfirm1, disclose)
		p.run()
		for _, e := range []*end{p.a, p.b} {
			if e.secured == nil || e.secured.PeerFlags.Disclosure != discloses || e.keyFlags.Disclosure != discloses {
				t.Errorf("discloses %v: %+v, with the keys %+v", discloses, e.secured, e.keyFlags)
			}
		}
	}
}
