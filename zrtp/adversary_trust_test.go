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
