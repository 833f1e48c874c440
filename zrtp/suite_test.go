package zrtp

import (
	"crypto/sha256"
	"testing"

	"sotto/zrtp/internal/kex"
	"sotto/zrtp/wire"
)

// The example of RFC 6189 §4.1.2, and EC38's need for S384.
func TestChoose(t *testing.T) {
	offer := func(hashes, agreements []wire.Algo) Offer {
		o := DefaultOffer()
		o.Hashes, o.KeyAgreements = hashes, agreements
		return o
	}
	both := algos("S256", "S384")
	for name, c := range map[string]struct {
		ours, theirs    Offer
		agreement, hash string
		code            wire.ErrorCode
	}{
		"the RFC's example": {offer(both, algos("DH2k", "DH3k", "EC25")), offer(both, algos("EC38", "EC25", "DH3k")), "EC25", "S256", 0},
		"the other side":    {offer(both, algos("EC38", "EC25", "DH3k")), offer(both, algos("DH2k", "DH3k", "EC25")), "EC25", "S256", 0},
		"the peer's hash":   {offer(both, algos("X255")), offer(algos("S384", "S256"), algos("X255")), "X255", "S384", 0},
		"EC38 takes S384":   {offer(both, algos("EC38")), offer(both, algos("EC38")), "EC38", "S384", 0},
		"EC38 lacks S384":   {offer(algos("S256"), algos("EC38", "DH3k")), offer(both, algos("EC38", "DH3k")), "DH3k", "S256", 0},
		"EC38 alone":        {offer(algos("S256"), algos("EC38")), offer(both, algos("EC38")), "", "", wire.ErrorKeyAgreementUnsupported},
		"no agreement":      {offer(both, algos("EC25")), offer(both, algos("X255")), "", "", wire.ErrorKeyAgreementUnsupported},
		"no hash":           {offer(algos("S384"), algos("X255")), offer(algos("S256"), algos("X255")), "", "", wire.ErrorHashUnsupported},
	} {
		s, code := choose(c.ours, c.theirs, kex.Faster)
		if code != c.code || code == 0 && (s.KeyAgreement != wire.A(c.agreement) || s.Hash != wire.A(c.hash)) {
			t.Errorf("%s: %s, code %#x", name, s, uint32(code))
		}
	}
	all := builtIn()
	if code := permits(all, all, Suite{wire.A("S256"), wire.A("AES3"), wire.A("HS80"), wire.A("EC38"), wire.A("B32")}); code != wire.ErrorHashUnsupported {
		t.Errorf("EC38 with S256: code %#x", uint32(code))
	}
}

// Everything that can be offered is built in.
func TestBuiltIn(t *testing.T) {
	for _, offer := range []Offer{DefaultOffer(), implied} {
		if err := offer.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, a := range builtIn().KeyAgreements {
		_, dh := kex.Lookup(a)
		_, kem := kex.LookupKEM(a, sha256.New)
		if dh == kem && withPublicValues(a) {
			t.Errorf("%s is not built in, or twice", a)
		}
	}
}
