package zrtp

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"io"
	"testing"

	"sotto/internal/netsim"
	"sotto/zrtp/internal/kex"
	"sotto/zrtp/wire"
)

// refuses runs a handshake in which one side's public value is spoilt, once for
// either side: the other says Error 0x61 and has no keys. An initiator that
// lies has committed to its lie.
func refuses(t *testing.T, ka string, spoil func(pv []byte) []byte) {
	t.Helper()
	spoilPart := func(m []byte) []byte {
		part, err := wire.ParseDHPart(m)
		if err != nil {
			t.Fatal(err)
		}
		part.PV = spoil(part.PV)
		return part.Append(nil)
	}
	for _, initiatorLies := range []bool{false, true} {
		a, b := configA(1), configB(1)
		b.Passive = true
		a.Policy.Offer.KeyAgreements = algos(ka)
		b.Policy.Offer.KeyAgreements = algos(ka)
		p := newPair(t, a, b, netsim.Config{})
		victim, attacker := p.a, p.b
		if initiatorLies {
			victim, attacker = p.b, p.a
			lie(t, p.a, func(l *liar) { l.part = spoilPart(l.part) })
		} else {
			replace(p.b, wire.TypeDHPart1, spoilPart)
		}
		p.run()
		victim.mustFail(t, wire.ErrorPublicValue)
		if attacker.failed == nil || !attacker.failed.Remote || attacker.failed.Code != wire.ErrorPublicValue {
			t.Errorf("the attacker was told %+v", attacker.failed)
		}
		if victim.recv != nil || attacker.secured != nil || attacker.send != nil || attacker.recv != nil {
			t.Error("somebody has keys")
		}
	}
}

// valued is a spoiler that puts a number, big-endian, in place of the public
// value.
func valued(number []byte) func([]byte) []byte {
	return func(pv []byte) []byte {
		value := make([]byte, len(pv))
		copy(value[len(pv)-len(number):], number)
		return value
	}
}

// plus is a number close to prime.
func plus(prime []byte, n int) []byte {
	number := bytes.Clone(prime)
	number[len(number)-1] += byte(n) // both primes end in 0xff
	for i := len(number) - 2; n > 0 && i >= 0; i-- {
		if number[i]++; number[i] != 0 {
			break
		}
	}
	return number
}

func resized(n int) func([]byte) []byte {
	return func(pv []byte) []byte { return append(bytes.Clone(pv), 0, 0, 0, 0)[:len(pv)+n] }
}

func TestAdversary_B1_DegeneratePublicValues(t *testing.T) {
	for ka, prime := range map[string][]byte{"DH2k": modp2048, "DH3k": modp3072} {
		for name, spoil := range map[string]func([]byte) []byte{
			"0": valued(nil), "1": valued([]byte{1}), "p-1": valued(plus(prime, -1)), "p": valued(prime),
			"beyond p":     valued(bytes.Repeat([]byte{0xff}, len(prime))),
			"a word short": resized(-4), "a word long": resized(4),
		} {
			t.Run(ka+"/"+name, func(t *testing.T) { refuses(t, ka, spoil) })
		}
	}
}

// withSecret makes a Session draw this secret for its key pair.
func withSecret(cfg Config, secret []byte) Config {
	first := make([]byte, 36) // what New draws
	_, _ = cfg.Rand.Read(first)
	cfg.Rand = io.MultiReader(bytes.NewReader(first), bytes.NewReader(secret), cfg.Rand)
	return cfg
}

// mustFollowFrom demands that the keys of a call follow from this DHResult.
func (p *pair) mustFollowFrom(result []byte) {
	p.t.Helper()
	hashOf := newHash(p.a.suite.Hash)
	h := hashOf()
	for _, m := range [][]byte{p.b.ours.hello, p.a.ours.commit, p.b.ours.dhPart, p.a.ours.dhPart} {
		h.Write(m)
	}
	context := kdfContext(zidA, zidB, h.Sum(nil))
	s0 := deriveS0(hashOf, bytes.Clone(result), context, shared{})
	want := newKDF(hashOf, s0, context).sessionKeys(p.a.suite)
	if !p.a.ExportedKey().Equal(want.exported) || !p.b.ExportedKey().Equal(want.exported) {
		p.t.Error("the keys do not follow from the result of full width")
	}
}

// 2^3 and (2^3)^1: all but one byte of the public value and of the result are
// leading zeros, and they stay.
func TestAdversary_B1_LeadingZerosStay(t *testing.T) {
	for ka, width := range map[string]int{"DH2k": 256, "DH3k": 384} {
		a, b := configA(1), configB(1)
		b.Passive = true
		a.Policy.Offer = Offer{KeyAgreements: algos(ka), Ciphers: algos("AES1")}
		b.Policy.Offer.KeyAgreements = algos(ka)
		exponent := func(x byte) []byte { return append(make([]byte, 31), x) }
		p := newPair(t, withSecret(a, exponent(3)), withSecret(b, exponent(1)), netsim.Config{})
		p.mustSecure()
		eight := append(make([]byte, width-1), 8)
		if !bytes.Equal(dhPart(t, p.b.Session).PV, eight) {
			t.Errorf("%s: the public value is %x", ka, dhPart(t, p.b.Session).PV)
		}
		p.mustFollowFrom(eight)
	}
}

func TestAdversary_B2_LowOrderPoints(t *testing.T) {
	// Every encoding of a point of low order, on the curve and on its twist
	// (RFC 7748 §7), p and p+1 among them; all give the all-zero result.
	for ka, points := range map[string][]string{
		"X255": {
			"0000000000000000000000000000000000000000000000000000000000000000",
			"0100000000000000000000000000000000000000000000000000000000000000",
			"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
			"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
			"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
			"0000000000000000000000000000000000000000000000000000000000000080",
			"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		},
		"X448": {
			"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
			"0100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
			"fefffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			"00000000000000000000000000000000000000000000000000000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		},
	} {
		for _, point := range points {
			pv, err := hex.DecodeString(point)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(ka+"/"+point[:8], func(t *testing.T) { refuses(t, ka, func([]byte) []byte { return pv }) })
		}
		refuses(t, ka, resized(-4))
		refuses(t, ka, resized(4))
	}
}

func TestAdversary_B3_PointsOffTheCurve(t *testing.T) {
	for ka, p := range map[string]string{
		"EC25": "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
		"EC38": "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
	} {
		prime, err := hex.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		edit := func(f func(pv []byte)) func([]byte) []byte {
			return func(pv []byte) []byte { pv = bytes.Clone(pv); f(pv); return pv }
		}
		for name, spoil := range map[string]func([]byte) []byte{
			"origin":   edit(func(pv []byte) { clear(pv) }),
			"y off":    edit(func(pv []byte) { pv[len(pv)-1] ^= 1 }),
			"x off":    edit(func(pv []byte) { pv[0] ^= 1 }),
			"swapped":  func(pv []byte) []byte { return append(bytes.Clone(pv[len(pv)/2:]), pv[:len(pv)/2]...) },
			"x is p":   edit(func(pv []byte) { copy(pv, prime) }),
			"y is p":   edit(func(pv []byte) { copy(pv[len(pv)/2:], prime) }),
			"x beyond": edit(func(pv []byte) { copy(pv, bytes.Repeat([]byte{0xff}, len(pv)/2)) }),
			"short":    resized(-4),
			"long":     resized(4),
		} {
			t.Run(ka+"/"+name, func(t *testing.T) { refuses(t, ka, spoil) })
		}
	}
}

// DHResult is the x coordinate, leading zeros included.
func TestAdversary_B3_ResultIsX(t *testing.T) {
	for ka, c := range map[string]struct {
		curve ecdh.Curve
		hash  string
	}{"EC25": {ecdh.P256(), "S256"}, "EC38": {ecdh.P384(), "S384"}} {
		agreement, ok := kex.Lookup(wire.A(ka))
		if !ok {
			t.Fatal(ka)
		}
		random := seededRand(1)
		draw := func() (secret []byte, key *ecdh.PrivateKey) {
			secret = make([]byte, agreement.SecretLen(128))
			_, _ = random.Read(secret)
			key, err := c.curve.NewPrivateKey(secret[:agreement.SharedLen])
			if err != nil {
				t.Fatal(err)
			}
			return secret, key
		}
		secretB, keyB := draw()
		for {
			secretA, keyA := draw()
			x, err := keyA.ECDH(keyB.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			if x[0] != 0 {
				continue
			}
			a, b := configA(1), configB(1)
			b.Passive = true
			a.Policy.Offer = Offer{KeyAgreements: algos(ka), Hashes: algos(c.hash), Ciphers: algos("AES1")}
			b.Policy.Offer.KeyAgreements = algos(ka)
			p := newPair(t, withSecret(a, secretA), withSecret(b, secretB), netsim.Config{})
			p.mustSecure()
			p.mustFollowFrom(x)
			break
		}
	}
}
