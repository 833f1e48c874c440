package kex

import (
	"bytes"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"slices"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

var hashes = map[string]func() hash.Hash{"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

func lookupKEM(t testing.TB, name string, newHash func() hash.Hash) *KEM {
	t.Helper()
	m, ok := LookupKEM(wire.A(name), newHash)
	if !ok {
		t.Fatalf("no mechanism %s", name)
	}
	return m
}

func generateKEM(t testing.TB, m *KEM, random []byte) *KEMKey {
	t.Helper()
	k, err := m.GenerateKey(random)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func publicOf(t testing.TB, k *KEMKey) []byte {
	t.Helper()
	public, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func encapsulate(t testing.TB, m *KEM, random, public []byte) (ciphertext, shared []byte) {
	t.Helper()
	ciphertext, shared, err := m.Encapsulate(random, public)
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext, shared
}

func TestKEM(t *testing.T) {
	lengths := map[string][4]int{ // of public key, ciphertext, secret, encapsulation's randomness
		"K255": {32, 32, 32, 32},
		"K448": {56, 56, 56, 56},
		"X1M1": {32 + 800, 32 + 768, 32 + 64, 32 + 32},
		"X3M3": {56 + 1568, 56 + 1568, 56 + 64, 56 + 32},
	}
	for _, row := range kems {
		for hashName, newHash := range hashes {
			t.Run(row.name+"/"+hashName, func(t *testing.T) {
				m := lookupKEM(t, row.name, newHash)
				if got := [4]int{m.PublicLen, m.CiphertextLen, m.SecretLen, m.EncapsulateLen}; got != lengths[row.name] {
					t.Errorf("announced lengths %d, want %d", got, lengths[row.name])
				}
				random, coins := randomBytes(m.SecretLen), randomBytes(m.EncapsulateLen)
				key := generateKEM(t, m, random)
				ciphertext, shared := encapsulate(t, m, coins, publicOf(t, key))
				got, err := key.Decapsulate(ciphertext)
				if err != nil || !bytes.Equal(got, shared) {
					t.Fatalf("decapsulated %x, %v, encapsulated was %x", got, err, shared)
				}
				if len(publicOf(t, key)) != m.PublicLen || len(ciphertext) != m.CiphertextLen || len(shared) != m.SharedLen {
					t.Errorf("%d, %d, %d bytes", len(publicOf(t, key)), len(ciphertext), len(shared))
				}
				if again := generateKEM(t, m, random); !bytes.Equal(publicOf(t, again), publicOf(t, key)) {
					t.Error("the same randomness made another key")
				}
				c, s := encapsulate(t, m, coins, publicOf(t, key))
				if !bytes.Equal(c, ciphertext) || !bytes.Equal(s, shared) {
					t.Error("the same randomness made another ciphertext or secret")
				}
				coins[len(coins)-1] ^= 1
				if c, s := encapsulate(t, m, coins, publicOf(t, key)); bytes.Equal(c, ciphertext) || bytes.Equal(s, shared) {
					t.Error("other randomness made the same ciphertext or secret")
				}
			})
		}
	}
}

// result is a private key whose DHResult is known, but no exponent of it.
type result []byte

func (r result) public() []byte                { return nil }
func (r result) shared([]byte) ([]byte, error) { return bytes.Clone(r), nil }
func (r result) wipe()                         {}

// TestKEMRecorded derives what another implementation derived, from what its
// curve and its ML-KEM gave, and takes its public keys and ciphertexts.
func TestKEMRecorded(t *testing.T) {
	for _, h := range kat.KEMHandshakes() {
		t.Run(h.Name, func(t *testing.T) {
			m := lookupKEM(t, h.KeyAgreement, hashes[h.Hash])
			if len(h.PublicKey) != m.PublicLen || len(h.Ciphertext) != m.CiphertextLen || len(h.DHResult) != m.SharedLen {
				t.Fatalf("recorded lengths %d, %d, %d", len(h.PublicKey), len(h.Ciphertext), len(h.DHResult))
			}
			n := m.curve.PublicLen
			own := &Key{pv: h.PublicKey[:n], private: result(h.CurveResult)}
			shared, err := m.derive(own, h.Ciphertext[:n], slices.Concat(h.Ciphertext[:n], h.PublicKey[:n]))
			if err != nil || !bytes.Equal(shared, h.ComponentSecrets[0]) {
				t.Errorf("the curve's secret is %x, %v, want %x", shared, err, h.ComponentSecrets[0])
			}
			if m.lattice != nil {
				shared = m.combine(h.ComponentSecrets[0], h.ComponentSecrets[1], h.Ciphertext)
			}
			if !bytes.Equal(shared, h.DHResult) {
				t.Errorf("DHResult is %x, want %x", shared, h.DHResult)
			}
			if _, _, err := m.Encapsulate(randomBytes(m.EncapsulateLen), h.PublicKey); err != nil {
				t.Errorf("recorded public key refused: %v", err)
			}
			if _, err := generateKEM(t, m, randomBytes(m.SecretLen)).Decapsulate(h.Ciphertext); err != nil {
				t.Errorf("recorded ciphertext refused: %v", err)
			}
		})
	}
}

// TestMLKEMAccumulated runs the 10,000 cases of the Community Cryptography Test
// Vectors (C2SP, ML-KEM, "accumulated pq-crystals vectors") of FIPS 203: all
// that the mechanism puts out, rejected ciphertexts included, has one hash.
func TestMLKEMAccumulated(t *testing.T) {
	for name, want := range map[string]string{
		"X1M1": "705dcffc87f4e67e35a09dcaa31772e86f3341bd3ccf1e78a5fef99ae6a35a13",
		"X3M3": "e3bf82b013307b2e9d47dde791ff6dfc82e694e6382404abdb948b908b75bad5",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lattice := lookupKEM(t, name, sha256.New).lattice
			in, out := sha3.NewSHAKE128(), sha3.NewSHAKE128()
			seed, message, random := make([]byte, lattice.SeedSize()), make([]byte, 32), make([]byte, lattice.CiphertextSize())
			for range 10_000 {
				in.Read(seed)
				in.Read(message)
				in.Read(random)
				public, private := lattice.DeriveKeyPair(seed)
				publicBytes, _ := public.MarshalBinary()
				privateBytes, _ := private.MarshalBinary()
				ciphertext, shared, err := lattice.EncapsulateDeterministically(public, message)
				if err != nil {
					t.Fatal(err)
				}
				got, err := lattice.Decapsulate(private, ciphertext)
				if err != nil || !bytes.Equal(got, shared) {
					t.Fatalf("decapsulated %x, %v, encapsulated was %x", got, err, shared)
				}
				rejected, err := lattice.Decapsulate(private, random)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range [][]byte{publicBytes, privateBytes, ciphertext, shared, rejected} {
					out.Write(b)
				}
			}
			sum := make([]byte, 32)
			out.Read(sum)
			if got := hex.EncodeToString(sum); got != want {
				t.Errorf("hash %s, want %s", got, want)
			}
		})
	}
}

// TestX3M3AgainstStandardLibrary takes the whole mechanism apart: with the same
// seed the standard library has the same key, and finds the same secret.
func TestX3M3AgainstStandardLibrary(t *testing.T) {
	m := lookupKEM(t, "X3M3", sha512.New)
	n := m.curve.PublicLen
	for range 10 {
		random, coins := randomBytes(m.SecretLen), randomBytes(m.EncapsulateLen)
		key := generateKEM(t, m, random)
		standard, err := mlkem.NewDecapsulationKey1024(random[n:])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(publicOf(t, key)[n:], standard.EncapsulationKey().Bytes()) {
			t.Fatal("the same seed makes another key in the standard library")
		}
		ciphertext, shared := encapsulate(t, m, coins, publicOf(t, key))
		ephemeral := generate(t, m.curve, coins[:n])
		curveShared, err := m.derive(ephemeral, publicOf(t, key)[:n], slices.Concat(ciphertext[:n], publicOf(t, key)[:n]))
		if err != nil || !bytes.Equal(ephemeral.Public(), ciphertext[:n]) {
			t.Fatal(err, "or another ephemeral key")
		}
		latticeShared, err := standard.Decapsulate(ciphertext[n:])
		if err != nil || !bytes.Equal(m.combine(curveShared, latticeShared, ciphertext), shared) {
			t.Fatal(err, "or another secret")
		}
		// A tampered ciphertext is rejected in the same way.
		ciphertext[n+int(coins[0])] ^= 4
		latticeShared, err = standard.Decapsulate(ciphertext[n:])
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.Decapsulate(ciphertext)
		if err != nil || !bytes.Equal(got, m.combine(curveShared, latticeShared, ciphertext)) {
			t.Fatal(err, "or rejected to another secret")
		}
	}
}

// TestKEMTampered flips bits of ciphertexts all along: never a panic, never the
// right secret, an error only from the curve.
func TestKEMTampered(t *testing.T) {
	for _, row := range kems {
		m := lookupKEM(t, row.name, sha512.New384)
		key := generateKEM(t, m, randomBytes(m.SecretLen))
		ciphertext, shared := encapsulate(t, m, randomBytes(m.EncapsulateLen), publicOf(t, key))
		for i := range ciphertext {
			tampered := bytes.Clone(ciphertext)
			tampered[i] ^= 1 << (i % 7)
			got, err := key.Decapsulate(tampered)
			switch {
			case err != nil && (i >= m.curve.PublicLen || !errors.Is(err, ErrPublicValue) || got != nil):
				t.Fatalf("%s: byte %d flipped: %x, %v", row.name, i, got, err)
			case err == nil && (len(got) != m.SharedLen || bytes.Equal(got, shared)):
				t.Fatalf("%s: byte %d flipped: %x", row.name, i, got)
			}
		}
	}
}

func TestKEMInvalid(t *testing.T) {
	for _, row := range kems {
		m := lookupKEM(t, row.name, sha256.New)
		key := generateKEM(t, m, randomBytes(m.SecretLen))
		coins := randomBytes(m.EncapsulateLen)
		ciphertext, _ := encapsulate(t, m, coins, publicOf(t, key))
		publics := [][]byte{nil, publicOf(t, key)[1:], append(publicOf(t, key), 0)}
		ciphertexts := [][]byte{nil, ciphertext[1:], append(bytes.Clone(ciphertext), 0)}
		for _, point := range invalidPublicValues(t, m.curve) {
			publics = append(publics, slices.Concat(point, publicOf(t, key)[len(point):]))
			ciphertexts = append(ciphertexts, slices.Concat(point, ciphertext[len(point):]))
		}
		if m.lattice != nil { // a coefficient of 0xfff, beyond 3328
			public := publicOf(t, key)
			public[m.curve.PublicLen], public[m.curve.PublicLen+1] = 0xff, public[m.curve.PublicLen+1]|0x0f
			publics = append(publics, public)
		}
		for _, public := range publics {
			c, s, err := m.Encapsulate(coins, public)
			if !errors.Is(err, ErrPublicValue) || c != nil || s != nil {
				t.Errorf("%s: encapsulated to %x: %x, %x, %v", row.name, public, c, s, err)
			}
		}
		for _, c := range ciphertexts {
			if s, err := key.Decapsulate(c); !errors.Is(err, ErrPublicValue) || s != nil {
				t.Errorf("%s: decapsulated %x: %x, %v", row.name, c, s, err)
			}
		}
		for _, n := range []int{0, m.SecretLen - 1, m.SecretLen + 1} {
			if k, err := m.GenerateKey(make([]byte, n)); !errors.Is(err, ErrSecret) || k != nil {
				t.Errorf("%s: a key of %d random bytes: %v", row.name, n, err)
			}
		}
		for _, n := range []int{0, m.EncapsulateLen - 1, m.EncapsulateLen + 1} {
			if c, s, err := m.Encapsulate(make([]byte, n), publicOf(t, key)); !errors.Is(err, ErrSecret) || c != nil || s != nil {
				t.Errorf("%s: encapsulated with %d random bytes: %v", row.name, n, err)
			}
		}
	}
}

func TestLookupKEMUnknown(t *testing.T) {
	for _, name := range []string{"", "X255", "X448", "DH3k", "x1m1", "MLK1"} {
		if m, ok := LookupKEM(wire.A(name), sha256.New); ok || m != nil {
			t.Errorf("found %q", name)
		}
	}
}

// fixed returns n bytes that are always the same, so that a fuzzer's finding
// fails again.
func fixed(n int) []byte {
	b := make([]byte, n)
	h := sha3.NewSHAKE128()
	h.Read(b)
	return b
}

// FuzzEncapsulate: whatever public key the peer sends is refused, or gives a
// ciphertext and a secret of the announced lengths.
func FuzzEncapsulate(f *testing.F) {
	for _, h := range kat.KEMHandshakes() {
		f.Add(h.KeyAgreement, []byte(h.PublicKey))
		f.Add(h.KeyAgreement, []byte(h.Ciphertext))
	}
	for _, row := range kems {
		f.Add(row.name, make([]byte, lookupKEM(f, row.name, sha256.New).PublicLen))
	}
	f.Fuzz(func(t *testing.T, name string, public []byte) {
		m, ok := LookupKEM(wire.A(name), sha512.New384)
		if !ok {
			return
		}
		ciphertext, shared, err := m.Encapsulate(fixed(m.EncapsulateLen), public)
		if err == nil && (len(ciphertext) != m.CiphertextLen || len(shared) != m.SharedLen) {
			t.Fatalf("%d and %d bytes", len(ciphertext), len(shared))
		}
		if err != nil && (!errors.Is(err, ErrPublicValue) || ciphertext != nil || shared != nil) {
			t.Fatalf("%x, %x, %v", ciphertext, shared, err)
		}
	})
}

// FuzzDecapsulate: whatever ciphertext the peer sends is refused, or gives a
// secret of the announced length.
func FuzzDecapsulate(f *testing.F) {
	for _, h := range kat.KEMHandshakes() {
		f.Add(h.KeyAgreement, []byte(h.Ciphertext))
		f.Add(h.KeyAgreement, []byte(h.PublicKey))
	}
	keys := map[string]*KEMKey{}
	for _, row := range kems {
		m := lookupKEM(f, row.name, sha512.New384)
		keys[row.name] = generateKEM(f, m, fixed(m.SecretLen))
		ciphertext, _ := encapsulate(f, m, fixed(m.EncapsulateLen), publicOf(f, keys[row.name]))
		f.Add(row.name, ciphertext)
		f.Add(row.name, make([]byte, m.CiphertextLen))
	}
	f.Fuzz(func(t *testing.T, name string, ciphertext []byte) {
		key, ok := keys[name]
		if !ok {
			return
		}
		shared, err := key.Decapsulate(ciphertext)
		if err == nil && len(shared) != key.kem().SharedLen {
			t.Fatalf("%d bytes", len(shared))
		}
		if err != nil && (!errors.Is(err, ErrPublicValue) || shared != nil) {
			t.Fatalf("%x, %v", shared, err)
		}
	})
}

// TestExpansions: no more lattice keys than the limit are kept expanded, whoever
// makes us wait, and what is not kept is none the worse.
func TestExpansions(t *testing.T) {
	before := expansions.Swap(0) // of keys that other tests have left
	defer func() { expansions.Add(before) }()
	m := lookupKEM(t, "X3M3", sha512.New)
	var keys []*KEMKey
	for range maxExpansions + 3 {
		keys = append(keys, generateKEM(t, m, randomBytes(m.SecretLen)))
	}
	for i, key := range keys {
		ciphertext, shared := encapsulate(t, m, randomBytes(m.EncapsulateLen), publicOf(t, key))
		if kept := key.expanded != nil; kept != (i < maxExpansions) {
			t.Errorf("key %d is kept: %t", i, kept)
		}
		if got, err := key.Decapsulate(ciphertext); err != nil || !bytes.Equal(got, shared) {
			t.Errorf("key %d: %x, %v", i, got, err)
		}
	}
	keys[0].Wipe()
	keys[0].Wipe()
	if publicOf(t, keys[maxExpansions]); keys[maxExpansions].expanded == nil {
		t.Error("a wiped key leaves no room")
	}
	for _, key := range keys {
		key.Wipe()
	}
	if n := expansions.Load(); n != 0 {
		t.Errorf("%d keys are still kept", n)
	}
}

// BenchmarkKEM is what one handshake costs both sides together.
func BenchmarkKEM(b *testing.B) {
	for _, row := range kems {
		b.Run(row.name, func(b *testing.B) {
			m := lookupKEM(b, row.name, sha512.New384)
			random, coins := randomBytes(m.SecretLen), randomBytes(m.EncapsulateLen)
			for b.Loop() {
				key := generateKEM(b, m, random)
				ciphertext, shared := encapsulate(b, m, coins, publicOf(b, key))
				got, err := key.Decapsulate(ciphertext)
				if err != nil || !bytes.Equal(got, shared) {
					b.Fatal(err)
				}
				key.Wipe()
			}
		})
	}
}
