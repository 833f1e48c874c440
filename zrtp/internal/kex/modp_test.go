package kex

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"testing"
)

// rfc3526 computes 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) pi) + offset),
// the formula of RFC 3526 §3 and RFC 3526 §4, with pi computed here.
func rfc3526(n uint, offset int64) *big.Int {
	// Machin: pi = 16 atan(1/5) - 4 atan(1/239), with 64 guard bits.
	one := new(big.Int).Lsh(big.NewInt(1), n-130+64)
	atan := func(x int64) *big.Int {
		sum, term, xx := new(big.Int), new(big.Int).Div(one, big.NewInt(x)), big.NewInt(x*x)
		for n := int64(1); term.Sign() != 0; n += 2 {
			part := new(big.Int).Div(term, big.NewInt(n))
			if n%4 == 1 {
				sum.Add(sum, part)
			} else {
				sum.Sub(sum, part)
			}
			term.Div(term, xx)
		}
		return sum
	}
	pi := new(big.Int).Mul(big.NewInt(16), atan(5))
	pi.Sub(pi, new(big.Int).Mul(big.NewInt(4), atan(239)))
	pi.Rsh(pi, 64)
	p := new(big.Int).Lsh(big.NewInt(1), n)
	p.Sub(p, new(big.Int).Lsh(big.NewInt(1), n-64))
	p.Sub(p, big.NewInt(1))
	pi.Add(pi, big.NewInt(offset))
	return p.Add(p, pi.Lsh(pi, 64))
}

// primes are those of the agreements, from the formula.
var primes = map[string]*big.Int{
	"DH2k": rfc3526(2048, 124476),
	"DH3k": rfc3526(3072, 1690314),
}

// TestMODPAgainstBig checks prime, public value and DHResult against math/big,
// for every exponent length the ciphers ask for.
func TestMODPAgainstBig(t *testing.T) {
	for name, p := range primes {
		a := lookup(t, name)
		number := func(n *big.Int) []byte { return n.FillBytes(make([]byte, a.PublicLen)) }
		for _, cipherBits := range []int{128, 192, 256} {
			for range 4 {
				secretA := make([]byte, a.SecretLen(cipherBits))
				rand.Read(secretA)
				keyA, keyB := generate(t, a, secretA), freshKey(t, a, 128)
				e := new(big.Int).SetBytes(secretA)
				if want := number(new(big.Int).Exp(big.NewInt(2), e, p)); !bytes.Equal(keyA.Public(), want) {
					t.Fatalf("%s: public value is %x, want %x", name, keyA.Public(), want)
				}
				y := new(big.Int).SetBytes(keyB.Public())
				want := number(y.Exp(y, e, p))
				if got, err := keyA.Shared(keyB.Public()); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s: shared is %x, %v, want %x", name, got, err, want)
				}
			}
		}
	}
}

// TestMODPLeadingZeros: DHResult keeps its width (RFC 6189 §4.4.1.4).
func TestMODPLeadingZeros(t *testing.T) {
	for name := range primes {
		a := lookup(t, name)
		secret := make([]byte, 32)
		secret[31] = 3
		key := generate(t, a, secret)
		pv := make([]byte, a.PublicLen)
		pv[len(pv)-1] = 2
		want := make([]byte, a.PublicLen)
		want[len(want)-1] = 8
		if got, err := key.Shared(pv); err != nil || !bytes.Equal(got, want) || !bytes.Equal(key.Public(), want) {
			t.Errorf("%s: 2^3 is %x, %v; public %x", name, got, err, key.Public())
		}
	}
}

// TestOtherGroup runs the arithmetic over a group that is not ours: the test data
// of RFC 5114 for 2048 bits with a subgroup of 256. Its public values are
// shared results with the generator.
func TestOtherGroup(t *testing.T) {
	file, err := os.ReadFile("testdata/rfc5114.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ P, G, XA, YA, XB, YB, Z string }
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	group := newMODP(v.P)
	for _, c := range []struct{ exponent, base, want string }{
		{v.XA, v.G, v.YA}, {v.XB, v.G, v.YB}, {v.XA, v.YB, v.Z}, {v.XB, v.YA, v.Z},
	} {
		x := &modpPrivate{group: group, exponent: unhex(t, c.exponent)}
		if got, err := x.shared(unhex(t, c.base)); err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%s^%s is %x, %v, want %s", c.base, c.exponent, got, err, c.want)
		}
	}
}
