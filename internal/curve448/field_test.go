package curve448

import (
	"crypto/rand"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"
)

// The largest limbs that are tight and loose.
const (
	tightLimb = 1<<radix + 1<<38
	looseLimb = 3<<radix + 1<<38
)

// p is prime as a number.
var p = toBig(&prime)

// toBig reads x as it is.
func toBig(x *element) *big.Int {
	n := new(big.Int)
	for _, limb := range slices.Backward(x[:]) {
		n.Add(n.Lsh(n, radix), new(big.Int).SetUint64(limb))
	}
	return n
}

// randomElement has limbs up to most, often 0, 2^56-1 or most itself.
func randomElement(most uint64) (x element) {
	var b [9 * limbs]byte
	rand.Read(b[:])
	for i := range x {
		switch b[8*limbs+i] % 8 {
		case 0:
		case 1:
			x[i] = mask
		case 2:
			x[i] = most
		default:
			x[i] = binary.LittleEndian.Uint64(b[8*i:]) % (most + 1)
		}
	}
	return x
}

// check holds a result against what it must be modulo p, and its limbs.
func check(t *testing.T, name string, z *element, want *big.Int) {
	t.Helper()
	got := new(big.Int).Mod(toBig(z), p)
	if got.Cmp(new(big.Int).Mod(want, p)) != 0 {
		t.Fatalf("%s: %x, want %x", name, got, want)
	}
	if slices.Max(z[:]) > tightLimb {
		t.Fatalf("%s: %x is not tight", name, *z)
	}
}

func TestPrime(t *testing.T) {
	want := new(big.Int).Lsh(big.NewInt(1), 448)
	want.Sub(want, new(big.Int).Lsh(big.NewInt(1), 224))
	if want.Sub(want, big.NewInt(1)).Cmp(p) != 0 {
		t.Errorf("prime is %x", p)
	}
}

func TestFieldAgainstBig(t *testing.T) {
	for range 2_000 {
		x, y := randomElement(looseLimb), randomElement(looseLimb)
		a, b := toBig(&x), toBig(&y)
		var z element
		mulGo(&z, &x, &y)
		check(t, "mulGo", &z, new(big.Int).Mul(a, b))
		mul(&z, &x, &y)
		check(t, "mul", &z, new(big.Int).Mul(a, b))
		sqr(&z, &x)
		check(t, "sqr", &z, new(big.Int).Mul(a, a))
		mulSmall(&z, &x, a24)
		check(t, "mulSmall", &z, new(big.Int).Mul(a, big.NewInt(a24)))
		z = x
		carry(&z)
		check(t, "carry", &z, a)

		x, y = randomElement(tightLimb), randomElement(tightLimb)
		a, b = toBig(&x), toBig(&y)
		add(&z, &x, &y)
		carry(&z)
		check(t, "add", &z, new(big.Int).Add(a, b))
		sub(&z, &x, &y)
		if slices.Max(z[:]) > looseLimb {
			t.Fatalf("%x - %x has limbs that are too large: %x", x, y, z)
		}
		carry(&z)
		check(t, "sub", &z, new(big.Int).Sub(a, b))
	}
}

func TestInvert(t *testing.T) {
	one, two, most := element{1}, element{2}, prime
	most[0]--
	cases := []element{one, two, most}
	for range 5_000 {
		cases = append(cases, randomElement(looseLimb))
	}
	for _, x := range cases {
		var z element
		invert(&z, &x)
		want := new(big.Int).ModInverse(toBig(&x), p)
		if want == nil {
			want = new(big.Int)
		}
		check(t, "invert", &z, want)
	}
	twice := element{}
	add(&twice, &prime, &prime)
	for _, zero := range []element{{}, prime, twice} {
		if invert(&zero, &zero); toBytes(&zero) != [Size]byte{} {
			t.Errorf("1/0 is %x", zero)
		}
	}
}

// TestBytes: what goes out is below p, whatever came in.
func TestBytes(t *testing.T) {
	one := element{1}
	cases := []element{{}, one, prime, {}, {}}
	add(&cases[3], &prime, &one)
	sub(&cases[4], &prime, &one)
	carry(&cases[4])
	for i := range cases[4] {
		cases[4][i] &= mask
	}
	all := element{}
	for i := range all {
		all[i] = mask
	}
	cases = append(cases, all)
	for range 5_000 {
		cases = append(cases, randomElement(tightLimb))
	}
	for _, x := range cases {
		b := toBytes(&x)
		little := slices.Clone(b[:])
		slices.Reverse(little)
		if got, want := new(big.Int).SetBytes(little), new(big.Int).Mod(toBig(&x), p); got.Cmp(want) != 0 {
			t.Fatalf("%x became %x", x, got)
		}
		var back element
		if setBytes(&back, &b); toBytes(&back) != b {
			t.Fatalf("%x read back is %x", b, back)
		}
	}
}

func TestSwap(t *testing.T) {
	x, y := randomElement(mask), randomElement(mask)
	a, b := x, y
	if swap(&a, &b, 0); a != x || b != y {
		t.Error("swapped without being asked to")
	}
	if swap(&a, &b, 1); a != y || b != x {
		t.Error("did not swap")
	}
}

func BenchmarkMul(b *testing.B) {
	x := randomElement(mask)
	for b.Loop() {
		mul(&x, &x, &x)
	}
}

func BenchmarkSqr(b *testing.B) {
	x := randomElement(mask)
	for b.Loop() {
		sqr(&x, &x)
	}
}
