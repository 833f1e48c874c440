package zrtp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"slices"
	"testing"

	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// signalled are key and salt as SDES would carry them.
func signalled(seed byte) (key, salt []byte) {
	return bytes.Repeat([]byte{seed}, 16), bytes.Repeat([]byte{seed + 1}, 14)
}

// The auxsecret is that of RFC 6189 §8.2, whichever side is the initiator, and
// nothing of it is left when the keys are made.
func TestSRTPS(t *testing.T) {
	key, salt := signalled(7)
	roles := map[Role]bool{}
	for seed := uint64(0); len(roles) < 2; seed++ {
		p := newPair(t, configA(seed), configB(seed), netsim.Config{Seed: seed})
		p.a.SetSignalledKey([]byte("first"), []byte("thought"))
		p.a.SetSignalledKey(key, salt)
		p.b.SetSignalledKey(key, salt)
		var imported []byte
		p.a.onTaken = func(from State, _ []byte) {
			if p.a.retained.aux.Len() > 0 {
				imported = bytes.Clone(p.a.retained.aux.Reveal())
			}
		}
		p.run()
		p.mustAgree()
		if p.a.secured.AuxMismatch || p.b.secured.AuxMismatch {
			t.Fatal("two equal keys do not match")
		}
		zids := slices.Concat(zidA[:], zidB[:])
		if p.a.role == Responder {
			zids = slices.Concat(zidB[:], zidA[:])
		}
		if p.a.suite.Hash != wire.A("S384") {
			t.Fatalf("hash %s", p.a.suite.Hash)
		}
		m := hmac.New(sha512.New384, key)
		m.Write(slices.Concat([]byte{0, 0, 0, 1}, []byte("SRTP Secret"), []byte{0}, zids, salt, []byte{0, 0, 1, 0}))
		if want := m.Sum(nil)[:32]; !bytes.Equal(imported, want) {
			t.Errorf("%s: %x, want %x", p.a.role, imported, want)
		}
		for _, s := range []*end{p.a, p.b} {
			if s.retained.signalledKey.Len()+s.retained.signalledSalt.Len()+s.retained.aux.Len() != 0 {
				t.Error("the signalled key outlives its use")
			}
		}
		roles[p.a.role] = true
	}
}

// One side alone, or another key, is a mismatch that the side with the key is
// told, and no more: the call is as good as any.
func TestSRTPSMismatch(t *testing.T) {
	key, salt := signalled(7)
	other, _ := signalled(8)
	for name, c := range map[string]struct {
		b           []byte
		aux         bool
		tellA, telB bool
	}{
		"one side":     {nil, false, true, false},
		"another key":  {other, false, true, true},
		"an auxsecret": {key, true, true, true}, // which goes before
	} {
		cfg := configA(1)
		if c.aux {
			cfg.AuxSecret = secret.Copy([]byte("aux"))
		}
		p := newPair(t, cfg, configB(1), netsim.Config{})
		p.a.SetSignalledKey(key, salt)
		if c.b != nil {
			p.b.SetSignalledKey(c.b, salt)
		}
		p.run()
		p.mustAgree()
		if p.a.secured.AuxMismatch != c.tellA || p.b.secured.AuxMismatch != c.telB {
			t.Errorf("%s: %v and %v", name, p.a.secured.AuxMismatch, p.b.secured.AuxMismatch)
		}
	}
}
