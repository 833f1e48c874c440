package modexp

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"testing"
)

// toBig reads x as it is.
func (mod *Modulus) toBig(x *number) *big.Int { return new(big.Int).SetBytes(mod.bytes(x)) }

// randomModulus returns an odd number with the topmost bit of its limbs set,
// and often with limbs that are all zeros or all ones.
func randomModulus(t testing.TB, limbs int) *big.Int {
	t.Helper()
	b := randomLimbs(t, limbs)
	b[0] |= 0x80
	b[len(b)-1] |= 1
	return new(big.Int).SetBytes(b)
}

func randomLimbs(t testing.TB, limbs int) []byte {
	t.Helper()
	b := make([]byte, 8*limbs+limbs)
	rand.Read(b)
	for i, kind := range b[8*limbs:] {
		switch kind % 8 {
		case 0:
			copy(b[8*i:], make([]byte, 8))
		case 1:
			copy(b[8*i:], bytes.Repeat([]byte{0xff}, 8))
		}
	}
	return b[:8*limbs]
}

// operands are numbers below the modulus: the outermost and random ones.
func operands(t testing.TB, m *big.Int, limbs int) []*big.Int {
	one := big.NewInt(1)
	xs := []*big.Int{new(big.Int), one, new(big.Int).Sub(m, one), new(big.Int).Rsh(m, 1)}
	for range 4 {
		xs = append(xs, new(big.Int).Mod(new(big.Int).SetBytes(randomLimbs(t, limbs)), m))
	}
	return xs
}

var sizes = []int{4, 16, 28, 32, 36, 48}

// TestMulAgainstBig: mul and double, on random moduli of many lengths.
func TestMulAgainstBig(t *testing.T) {
	for _, limbs := range sizes {
		for range 20 {
			m := randomModulus(t, limbs)
			mod := New(m)
			r := new(big.Int).Lsh(big.NewInt(1), uint(64*limbs))
			unR := new(big.Int).ModInverse(r, m)
			xs := operands(t, m, limbs)
			for _, x := range xs {
				for _, y := range xs {
					a, b := mod.fromBig(x), mod.fromBig(y)
					want := new(big.Int).Mul(x, y)
					want.Mod(want.Mul(want, unR), m)
					if mod.mul(&a, &a, &b); mod.toBig(&a).Cmp(want) != 0 {
						t.Fatalf("%x · %x / R mod %x is %x, want %x", x, y, m, mod.toBig(&a), want)
					}
				}
				a := mod.fromBig(x)
				if mod.double(&a, 0); mod.toBig(&a).Cmp(x) != 0 {
					t.Fatalf("doubled without being asked to: %x mod %x is %x", x, m, mod.toBig(&a))
				}
				want := new(big.Int).Lsh(x, 1)
				if mod.double(&a, 1); mod.toBig(&a).Cmp(want.Mod(want, m)) != 0 {
					t.Fatalf("2 · %x mod %x is %x, want %x", x, m, mod.toBig(&a), want)
				}
			}
		}
	}
}

// TestExpAgainstBig: exp and exp2, with the outermost exponents too.
func TestExpAgainstBig(t *testing.T) {
	for _, limbs := range sizes {
		m := randomModulus(t, limbs)
		mod := New(m)
		for _, n := range []int{2 * leap / 8, 33, 48, 64} {
			for _, e := range [][]byte{make([]byte, n), bytes.Repeat([]byte{0xff}, n), randomLimbs(t, 8)[:n]} {
				exponent := new(big.Int).SetBytes(e)
				for _, x := range operands(t, m, limbs) {
					a, z := mod.fromBig(x), number{}
					mod.enter(&a)
					mod.pow(&z, &a, e)
					mod.leave(&z)
					if want := new(big.Int).Exp(x, exponent, m); mod.toBig(&z).Cmp(want) != 0 {
						t.Fatalf("%x^%x mod %x is %x, want %x", x, e, m, mod.toBig(&z), want)
					}
				}
				var z number
				mod.pow2(&z, e)
				mod.leave(&z)
				if want := new(big.Int).Exp(big.NewInt(2), exponent, m); mod.toBig(&z).Cmp(want) != 0 {
					t.Fatalf("2^%x mod %x is %x, want %x", e, m, mod.toBig(&z), want)
				}
			}
		}
	}
}

// TestExported: what goes in and out as bytes.
func TestExported(t *testing.T) {
	for _, limbs := range sizes {
		m := randomModulus(t, limbs)
		mod, e := New(m), randomLimbs(t, 4)
		x := new(big.Int).SetBytes(e)
		want := func(base *big.Int) []byte { return new(big.Int).Exp(base, x, m).FillBytes(make([]byte, 8*limbs)) }
		if got := mod.Exp2(e); !bytes.Equal(got, want(big.NewInt(2))) {
			t.Errorf("2^%x mod %x is %x", e, m, got)
		}
		for _, base := range operands(t, m, limbs) {
			got, ok := mod.Exp(base.FillBytes(make([]byte, 8*limbs)), e)
			if !ok || !bytes.Equal(got, want(base)) {
				t.Errorf("%x^%x mod %x is %x, %t", base, e, m, got, ok)
			}
		}
		if got, ok := mod.Exp(m.FillBytes(make([]byte, 8*limbs)), e); ok || got != nil {
			t.Errorf("%x was taken as below itself", m)
		}
	}
}

func TestSetBytes(t *testing.T) {
	for _, limbs := range sizes {
		m := randomModulus(t, limbs)
		mod := New(m)
		for _, x := range append(operands(t, m, limbs), m, new(big.Int).Add(m, big.NewInt(1))) {
			b := x.FillBytes(make([]byte, 8*limbs))
			var n number
			if got := mod.setBytes(&n, b); got != (x.Cmp(m) < 0) {
				t.Errorf("%x below %x: %t", x, m, got)
			}
			if !bytes.Equal(mod.bytes(&n), b) {
				t.Errorf("%x became %x", b, mod.bytes(&n))
			}
		}
	}
}

func BenchmarkMul(b *testing.B) {
	for _, limbs := range []int{32, 48} {
		mod := New(randomModulus(b, limbs))
		rows := map[string]func(*[2 * maxLimbs]uint64, *number, *number, *Modulus) uint64{"chosen": mulRows, "Go": mulRowsGo}
		for kind, f := range rows {
			b.Run(fmt.Sprintf("%d/%s", 64*limbs, kind), func(b *testing.B) {
				x := mod.rr
				for b.Loop() {
					var t [2 * maxLimbs]uint64
					carry := f(&t, &x, &x, mod)
					mod.reduce(&x, t[mod.limbs:2*mod.limbs], carry)
				}
			})
		}
	}
}
