package kex

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"sotto/zrtp/wire"
)

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
		{"DH2k", 128, 32}, {"DH2k", 256, 64},
		{"X255", 128, 32}, {"X255", 256, 32}, {"X448", 128, 56}, {"X448", 256, 56},
		{"EC25", 128, 64}, {"EC25", 256, 64}, {"EC38", 128, 48}, {"EC38", 256, 48},
	} {
		if got := lookup(t, c.name).SecretLen(c.bits); got != c.want {
			t.Errorf("%s for %d bits: %d, want %d", c.name, c.bits, got, c.want)
		}
	}
}

func TestUnusableSecrets(t *testing.T) {
	onesLen := func(n int) []byte { return bytes.Repeat([]byte{0xff}, n) }
	overOrder := onesLen(64)
	for _, c := range []struct {
		name   string
		secret []byte
	}{
		{"DH3k", nil}, {"DH3k", make([]byte, 31)}, {"DH3k", make([]byte, 32)}, {"DH3k", onesLen(65)},
		{"X255", nil}, {"X255", make([]byte, 31)}, {"X255", make([]byte, 33)},
		{"DH2k", nil}, {"DH2k", make([]byte, 31)}, {"DH2k", make([]byte, 32)}, {"DH2k", onesLen(65)},
		{"X448", nil}, {"X448", make([]byte, 55)}, {"X448", make([]byte, 57)},
		{"EC25", nil}, {"EC25", make([]byte, 32)}, {"EC25", make([]byte, 64)}, {"EC25", overOrder},
		{"EC38", nil}, {"EC38", make([]byte, 47)}, {"EC38", make([]byte, 48)}, {"EC38", overOrder[:48]},
	} {
		if k, err := lookup(t, c.name).Generate(c.secret); !errors.Is(err, ErrSecret) || k != nil {
			t.Errorf("%s took %x: %v", c.name, c.secret, err)
		}
	}
	// A first candidate out of range leads to the second.
	known := answer(t, "EC25")
	second := unhex(t, known.secretA)
	k := generate(t, lookup(t, "EC25"), append(overOrder[:32:32], second...))
	if !bytes.Equal(k.Public(), unhex(t, known.pvA)) {
		t.Error("the second candidate was not used")
	}
}

func TestFaster(t *testing.T) {
	order := []string{"DH2k", "X255", "K255", "EC25", "X448", "K448", "DH3k", "EC38", "EC52", "X1M1", "X3M3", "new!"}
	for i, a := range order {
		for j, b := range order {
			if got := Faster(wire.A(a), wire.A(b)); got != (i < j) {
				t.Errorf("Faster(%s, %s) = %v", a, b, got)
			}
		}
	}
}

func TestLookupUnknown(t *testing.T) {
	for _, name := range []string{"", "EC52", "Mult", "Prsh", "dh3k", "X1M1"} {
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
		name := a.Name.String()
		keys[name] = generate(f, &a, fixed(a.SecretLen(128)))
		f.Add(name, keys[name].Public())
		f.Add(name, make([]byte, a.PublicLen))
		f.Add(name, bytes.Repeat([]byte{0xff}, a.PublicLen))
	}
	for _, k := range knownAnswers {
		f.Add(k.name, unhex(f, k.pvA))
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

// BenchmarkBothSides is what one handshake costs both sides together.
func BenchmarkBothSides(b *testing.B) {
	for _, a := range table {
		b.Run(a.Name.String(), func(b *testing.B) {
			random := make([]byte, 2*a.SecretLen(128))
			rand.Read(random)
			for b.Loop() {
				keyA, keyB := generate(b, &a, random[:len(random)/2]), generate(b, &a, random[len(random)/2:])
				sharedA, errA := keyA.Shared(keyB.pv)
				sharedB, errB := keyB.Shared(keyA.pv)
				if errA != nil || errB != nil || !bytes.Equal(sharedA, sharedB) {
					b.Fatal(errA, errB)
				}
			}
		})
	}
}
