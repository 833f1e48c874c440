package kex

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"sotto/zrtp/wire"
)

// unhex takes hexadecimal with spaces.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lookup(t testing.TB, name string) *Agreement {
	t.Helper()
	a, ok := Lookup(wire.A(name))
	if !ok {
		t.Fatalf("no agreement %s", name)
	}
	return a
}

func generate(t testing.TB, a *Agreement, random []byte) *Key {
	t.Helper()
	k, err := a.Generate(random)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func freshKey(t testing.TB, a *Agreement, cipherBits int) *Key {
	t.Helper()
	random := make([]byte, a.SecretLen(cipherBits))
	rand.Read(random)
	return generate(t, a, random)
}

// knownAnswers: RFC 7748 §6.1 and RFC 5903 §8.1.
var knownAnswers = []struct{ name, secretA, pvA, secretB, pvB, shared string }{
	{
		name:    "X255",
		secretA: "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		pvA:     "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		secretB: "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		pvB:     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		shared:  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
	}, {
		name:    "EC25",
		secretA: "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
		pvA: "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180" +
			"5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
		secretB: "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
		pvB: "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63" +
			"56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
		shared: "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE",
	},
}

func TestKnownAnswers(t *testing.T) {
	for _, k := range knownAnswers {
		t.Run(k.name, func(t *testing.T) {
			a := lookup(t, k.name)
			// Only the first candidate of a secret is used when it is in range.
			pad := make([]byte, a.SecretLen(128)-32)
			keyA := generate(t, a, append(unhex(t, k.secretA), pad...))
			keyB := generate(t, a, append(unhex(t, k.secretB), pad...))
			if got := keyA.Public(); !bytes.Equal(got, unhex(t, k.pvA)) {
				t.Errorf("public value A is %x", got)
			}
			if got := keyB.Public(); !bytes.Equal(got, unhex(t, k.pvB)) {
				t.Errorf("public value B is %x", got)
			}
			for _, side := range []struct{ own, peer *Key }{{keyA, keyB}, {keyB, keyA}} {
				got, err := side.own.Shared(side.peer.Public())
				if err != nil || !bytes.Equal(got, unhex(t, k.shared)) {
					t.Errorf("shared is %x, %v", got, err)
				}
			}
		})
	}
}

// prime3072 is 2^3072 - 2^3008 - 1 + 2^64 * (floor(2^2942 pi) + 1690314), the
// formula of RFC 3526 §4, with pi computed here.
func prime3072() *big.Int {
	// Machin: pi = 16 atan(1/5) - 4 atan(1/239), with 64 guard bits.
	one := new(big.Int).Lsh(big.NewInt(1), 2942+64)
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
	p := new(big.Int).Lsh(big.NewInt(1), 3072)
	p.Sub(p, new(big.Int).Lsh(big.NewInt(1), 3008))
	p.Sub(p, big.NewInt(1))
	pi.Add(pi, big.NewInt(1690314))
	return p.Add(p, pi.Lsh(pi, 64))
}

// TestMODPAgainstBig checks prime, public value and DHResult of DH3k against
// math/big, for every exponent length the ciphers ask for.
func TestMODPAgainstBig(t *testing.T) {
	a := lookup(t, "DH3k")
	p := prime3072()
	if got := modp3072.p.Nat().Bytes(modp3072.p); !bytes.Equal(got, p.Bytes()) {
		t.Fatal("the prime is not that of RFC 3526")
	}
	for _, cipherBits := range []int{128, 192, 256} {
		for range 4 {
			secretA := make([]byte, a.SecretLen(cipherBits))
			rand.Read(secretA)
			keyA, keyB := generate(t, a, secretA), freshKey(t, a, 128)
			e := new(big.Int).SetBytes(secretA)
			if want := new(big.Int).Exp(big.NewInt(2), e, p).FillBytes(make([]byte, 384)); !bytes.Equal(keyA.Public(), want) {
				t.Fatalf("public value is %x, want %x", keyA.Public(), want)
			}
			y := new(big.Int).SetBytes(keyB.Public())
			want := y.Exp(y, e, p).FillBytes(make([]byte, 384))
			if got, err := keyA.Shared(keyB.Public()); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("shared is %x, %v, want %x", got, err, want)
			}
		}
	}
}

// TestMODPLeadingZeros: DHResult keeps its width (RFC 6189 §4.4.1.4).
func TestMODPLeadingZeros(t *testing.T) {
	a := lookup(t, "DH3k")
	secret := make([]byte, 32)
	secret[31] = 3
	key := generate(t, a, secret)
	pv := make([]byte, 384)
	pv[383] = 2
	want := make([]byte, 384)
	want[383] = 8
	if got, err := key.Shared(pv); err != nil || !bytes.Equal(got, want) || !bytes.Equal(key.Public(), want) {
		t.Errorf("2^3 is %x, %v; public %x", got, err, key.Public())
	}
}

func TestAgreement(t *testing.T) {
	for _, a := range table {
		t.Run(a.Name.String(), func(t *testing.T) {
			for _, cipherBits := range []int{128, 256} {
				keyA, keyB := freshKey(t, &a, cipherBits), freshKey(t, &a, 128)
				sharedA, errA := keyA.Shared(keyB.Public())
				sharedB, errB := keyB.Shared(keyA.Public())
				if errA != nil || errB != nil || !bytes.Equal(sharedA, sharedB) {
					t.Fatalf("%x, %v and %x, %v", sharedA, errA, sharedB, errB)
				}
				if len(keyA.Public()) != a.PublicLen || len(sharedA) != a.SharedLen {
					t.Errorf("lengths %d and %d, announced %d and %d",
						len(keyA.Public()), len(sharedA), a.PublicLen, a.SharedLen)
				}
			}
		})
	}
}

func TestSecretLen(t *testing.T) {
	for _, c := range []struct {
		name       string
		bits, want int
	}{
		{"DH3k", 128, 32}, {"DH3k", 192, 48}, {"DH3k", 256, 64}, {"DH3k", 0, 32},
		{"X255", 128, 32}, {"X255", 256, 32}, {"EC25", 128, 64}, {"EC25", 256, 64},
	} {
		if got := lookup(t, c.name).SecretLen(c.bits); got != c.want {
			t.Errorf("%s for %d bits: %d, want %d", c.name, c.bits, got, c.want)
		}
	}
}

func TestUnusableSecrets(t *testing.T) {
	overOrder := bytes.Repeat([]byte{0xff}, 64)
	for _, c := range []struct {
		name   string
		secret []byte
	}{
		{"DH3k", nil}, {"DH3k", make([]byte, 31)}, {"DH3k", make([]byte, 32)}, {"DH3k", make([]byte, 385)},
		{"X255", nil}, {"X255", make([]byte, 31)}, {"X255", make([]byte, 33)},
		{"EC25", nil}, {"EC25", make([]byte, 32)}, {"EC25", make([]byte, 64)}, {"EC25", overOrder},
	} {
		if k, err := lookup(t, c.name).Generate(c.secret); !errors.Is(err, ErrSecret) || k != nil {
			t.Errorf("%s took %x: %v", c.name, c.secret, err)
		}
	}
	// A first candidate out of range leads to the second.
	second := unhex(t, knownAnswers[1].secretA)
	k := generate(t, lookup(t, "EC25"), append(overOrder[:32:32], second...))
	if !bytes.Equal(k.Public(), unhex(t, knownAnswers[1].pvA)) {
		t.Error("the second candidate was not used")
	}
}

// lowOrder are the points of RFC 7748 §6.1's warning: every encoding, above
// the field's prime too, of a point whose order divides the cofactor.
var lowOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestInvalidPublicValues(t *testing.T) {
	p := prime3072()
	number := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 384)) }
	minus := func(n int64) []byte { return number(new(big.Int).Sub(p, big.NewInt(n))) }
	offCurve := unhex(t, knownAnswers[1].pvA)
	offCurve[63] ^= 1
	beyond := bytes.Repeat([]byte{0xff}, 64)

	bad := map[string][][]byte{
		"DH3k": {number(big.NewInt(0)), number(big.NewInt(1)), minus(1), minus(0), minus(-1),
			bytes.Repeat([]byte{0xff}, 384), number(big.NewInt(2))[1:], append([]byte{0}, minus(2)...)},
		"EC25": {make([]byte, 64), offCurve, beyond, offCurve[:32],
			append([]byte{4}, unhex(t, knownAnswers[1].pvA)...)},
	}
	for _, s := range lowOrder {
		point := unhex(t, s)
		high := bytes.Clone(point)
		high[31] |= 0x80 // the bit which X25519 ignores
		bad["X255"] = append(bad["X255"], point, high)
	}
	bad["X255"] = append(bad["X255"], make([]byte, 31), make([]byte, 33))
	for name, pvs := range bad {
		key := freshKey(t, lookup(t, name), 128)
		for _, pv := range append(pvs, nil) {
			if shared, err := key.Shared(pv); !errors.Is(err, ErrPublicValue) || shared != nil {
				t.Errorf("%s accepted %x: %v", name, pv, err)
			}
		}
	}

	// The neighbours of the refused numbers are fine.
	key := freshKey(t, lookup(t, "DH3k"), 128)
	for _, pv := range [][]byte{number(big.NewInt(2)), minus(2)} {
		if _, err := key.Shared(pv); err != nil {
			t.Errorf("refused %x: %v", pv, err)
		}
	}
}

// reachable collects every byte slice that hangs on v, through pointers,
// structs and interfaces, but not the public ones of the shared curves.
func reachable(v reflect.Value, found *[][]byte) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			reachable(v.Elem(), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			reachable(v.Field(i), found)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			*found = append(*found, v.Bytes())
		}
	}
}

// TestWipe keeps hold of the memory that held the scalar and looks at it after
// Wipe: a standard library with another layout would be noticed here.
func TestWipe(t *testing.T) {
	for _, a := range table {
		t.Run(a.Name.String(), func(t *testing.T) {
			random := make([]byte, a.SecretLen(128))
			rand.Read(random)
			scalar := bytes.Clone(random[:32])
			key := generate(t, &a, random)
			peer := freshKey(t, &a, 128).Public()
			if _, err := key.Shared(peer); err != nil {
				t.Fatal(err)
			}
			var slices [][]byte
			reachable(reflect.ValueOf(key), &slices)
			holds := func() (n int) {
				for _, s := range slices {
					if bytes.Equal(s, scalar) {
						n++
					}
				}
				return n
			}
			if holds() == 0 {
				t.Fatal("the scalar was not found even before the wipe")
			}
			pv := key.Public()
			key.Wipe()
			key.Wipe()
			if n := holds(); n != 0 {
				t.Errorf("%d copies of the scalar outlive Wipe", n)
			}
			if _, err := key.Shared(peer); !errors.Is(err, ErrWiped) {
				t.Errorf("a wiped key computed: %v", err)
			}
			if !bytes.Equal(key.Public(), pv) {
				t.Error("the public value did not outlive Wipe")
			}
			// The wipe must not have reached what all keys share.
			if _, err := freshKey(t, &a, 128).Shared(peer); err != nil {
				t.Errorf("after a wipe the next key fails: %v", err)
			}
		})
	}
	(*Key)(nil).Wipe()
}

func TestFaster(t *testing.T) {
	order := []string{"DH2k", "X255", "EC25", "X448", "DH3k", "EC38", "EC52", "new!"}
	for i, a := range order {
		for j, b := range order {
			if got := Faster(wire.A(a), wire.A(b)); got != (i < j) {
				t.Errorf("Faster(%s, %s) = %v", a, b, got)
			}
		}
	}
}

func TestLookupUnknown(t *testing.T) {
	for _, name := range []string{"", "DH2k", "Mult", "Prsh", "dh3k"} {
		if a, ok := Lookup(wire.A(name)); ok || a != nil {
			t.Errorf("found %q", name)
		}
	}
}

// FuzzShared: whatever the peer sends is refused, or gives a DHResult of the
// announced length.
func FuzzShared(f *testing.F) {
	keys := map[string]*Key{}
	for _, a := range table {
		keys[a.Name.String()] = freshKey(f, &a, 128)
		f.Add(a.Name.String(), freshKey(f, &a, 128).Public())
		f.Add(a.Name.String(), make([]byte, a.PublicLen))
		f.Add(a.Name.String(), bytes.Repeat([]byte{0xff}, a.PublicLen))
	}
	f.Fuzz(func(t *testing.T, name string, pv []byte) {
		key, ok := keys[name]
		if !ok {
			return
		}
		shared, err := key.Shared(pv)
		if err == nil && len(shared) != lookup(t, name).SharedLen {
			t.Fatalf("%s: %d bytes from %x", name, len(shared), pv)
		}
		if err != nil && (!errors.Is(err, ErrPublicValue) || shared != nil) {
			t.Fatalf("%s: %x and %v from %x", name, shared, err, pv)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	for _, a := range table {
		b.Run(a.Name.String(), func(b *testing.B) {
			random := make([]byte, a.SecretLen(128))
			rand.Read(random)
			for b.Loop() {
				generate(b, &a, random).Wipe()
			}
		})
	}
}

func BenchmarkShared(b *testing.B) {
	for _, a := range table {
		b.Run(a.Name.String(), func(b *testing.B) {
			key, pv := freshKey(b, &a, 128), freshKey(b, &a, 128).Public()
			for b.Loop() {
				if _, err := key.Shared(pv); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
