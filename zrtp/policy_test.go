package zrtp

import (
	"slices"
	"strings"
	"testing"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

func TestPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		want   []wire.Algo // key agreements; nil: not possible
	}{
		"as offered":        {Policy{Offer: Offer{KeyAgreements: algos("DH2k", "X448")}}, algos("DH2k", "X448")},
		"refused":           {Policy{Offer: Offer{KeyAgreements: algos("DH2k", "X448")}, Refused: algos("DH2k")}, algos("X448")},
		"all refused":       {Policy{Offer: Offer{KeyAgreements: algos("DH2k")}, Refused: algos("DH2k")}, nil},
		"a hash refused":    {Policy{Offer: Offer{Hashes: algos("S256")}, Refused: algos("S256")}, nil},
		"not post-quantum":  {Policy{Offer: Offer{KeyAgreements: algos("X255", "DH3k")}, PostQuantum: true}, nil},
		"of unknown things": {Policy{Offer: Offer{KeyAgreements: algos("X111")}}, nil},
	} {
		o, err := c.policy.offer()
		if c.want == nil && err == nil || c.want != nil && (err != nil || !slices.Equal(o.KeyAgreements, c.want)) {
			t.Errorf("%s: %v, %v", name, o.KeyAgreements, err)
		}
	}
}

// A mandatory algorithm that the policy refuses is refused to the peer too.
func TestRefusedThoughMandatory(t *testing.T) {
	a, b := configA(1), configB(1)
	a.Policy.Offer.KeyAgreements = algos("DH3k")
	b.Policy.Refused = algos("DH3k")
	b.Passive = true
	p := newPair(t, a, b, netsim.Config{})
	p.run()
	if p.a.failed == nil || p.a.failed.Code != wire.ErrorKeyAgreementUnsupported || p.b.secured != nil {
		t.Errorf("a: %+v, b: %+v", p.a.failed, p.b.secured)
	}
}

// Nothing is agreed with a Hello that was not announced, if the policy asks.
func TestRequireHelloHash(t *testing.T) {
	a, b := configA(1), configB(1)
	b.Policy.RequireHelloHash = true
	p := newPair(t, a, b, netsim.Config{})
	p.run()
	if p.a.secured != nil || p.b.secured != nil {
		t.Fatal("secured without an announced Hello")
	}
	p = newPair(t, a, b, netsim.Config{})
	p.b.SetPeerHelloHash(p.now, p.a.HelloHash())
	p.mustSecure()
}

// What a peer calls itself can do nothing to a screen or a log.
func TestClientIDIsPrintable(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{})
	p.b.introduce(func(h *wire.Hello) { copy(h.ClientID[:], "\x1b[31mB\r\n\xff\x00\x7fob  ") })
	p.start()
	pkt, _ := p.ba.Receive(p.now)
	if err := p.a.HandlePacket(p.now, pkt); err != nil {
		t.Fatal(err)
	}
	if found, ok := p.a.NextEvent().(PeerFound); !ok || strings.ContainsFunc(found.ClientID, func(r rune) bool { return r < ' ' || r > '~' }) || !strings.HasPrefix(found.ClientID, "[31mBob") {
		t.Errorf("%+v", found)
	}
}

// What the caller does to its lists after New changes nothing, and neither
// Session changes the default that all share.
func TestPolicyIsTheSessionsOwn(t *testing.T) {
	a, b := configA(1), configB(1)
	list := algos("X255", "EC25")
	a.Policy.Offer.KeyAgreements = list
	p := newPair(t, a, b, netsim.Config{})
	copy(list, algos("DH3k", "????"))
	p.mustSecure()
	if got := p.a.secured.Suite.KeyAgreement; got != wire.A("X255") {
		t.Errorf("agreed on %s", got)
	}
	for i, shared := range standard.lists() {
		fresh := DefaultOffer()
		if !slices.Equal(*shared, *fresh.lists()[i]) {
			t.Errorf("the default has become %v", *shared)
		}
	}
}
